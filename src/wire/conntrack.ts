/**
 * Connection tracking over netlink: who answers a client's datagrams after nat, and how such an entry is ended.
 *
 * ```
 *  netlink header(16) | nfgenmsg(4) | tuple of the question { addresses, ports } | tuple of the answer | status, id, zone ...
 * ```
 *
 * A dump is asked for UDP alone, and over IPv4 for one server's: over IPv6 the kernel gives everybody's but that server's
 * (Linux 6.18). Kernels before 5.8 know no filter, so what comes is looked at again. An entry is deleted by its own tuple,
 * zone and id, as the kernel gave them: another one that came in its place stays.
 * Rejected: deletion by filter (older kernels, Debian 12 has one, pass over it and delete everything).
 * Source: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h; net/netfilter/nf_conntrack_netlink.c.
 */
import {
  concatBytes,
  type IpAddress,
  ipBytes,
  ipFamily,
  ipFromBytes,
  ok,
  type Result,
} from '../base/index.ts';
import {
  AttributeReader,
  attribute,
  decodeMessage,
  encodeMessage,
  type NetlinkFault,
  NLM_F_DUMP,
  nestedAttribute,
  u8Attribute,
  u32Attribute,
} from './netlink.ts';
import { AF_INET, AF_INET6 } from './rtnl-codes.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const MESSAGE = { new: 0, get: 1, delete: 2 } as const;
const CTA = { original: 1, reply: 2, status: 3, id: 12, zone: 18, filter: 25 } as const;
const TUPLE = { addresses: 1, protocol: 2 } as const;
const ADDRESS_TYPES = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const;
const PROTOCOL = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
/** CTA_FILTER_REPLY_FLAGS, and what of the tuple counts. */
const FILTER_REPLY = 2;
const FILTER_SOURCE = 0x01;
const FILTER_PROTOCOL = 0x08;
const IPS_DST_NAT = 0x20;
const UDP = 17;

export type FlowEnd = { readonly address: IpAddress; readonly port: number };

/** A client's UDP conversation that nat sends to a server. */
export type NatFlow = {
  /** Whom the client asked. */
  readonly asked: FlowEnd;
  /** Who answers. */
  readonly server: FlowEnd;
  /** What names this entry to the kernel: attributes as they came. */
  readonly name: Uint8Array;
};

/** Dumps in which are all UDP conversations that these servers answer, and others. */
export function dumpFlows(servers: readonly IpAddress[]): readonly Uint8Array[] {
  const isProtocol = nestedAttribute(TUPLE.protocol, u8Attribute(PROTOCOL.number, UDP));
  const four = servers
    .filter((server) => ipFamily(server) === 4)
    .map((server) => {
      const isSource = nestedAttribute(
        TUPLE.addresses,
        attribute(ADDRESS_TYPES.source4, ipBytes(server)),
      );
      return dump(AF_INET, concatBytes(isSource, isProtocol), FILTER_SOURCE | FILTER_PROTOCOL);
    });
  const hasSix = servers.some((server) => ipFamily(server) === 6);
  return hasSix ? [...four, dump(AF_INET6, isProtocol, FILTER_PROTOCOL)] : four;
}

function dump(family: number, tuple: Uint8Array, flags: number): Uint8Array {
  const reply = nestedAttribute(CTA.reply, tuple);
  const filter = nestedAttribute(CTA.filter, u32Attribute(FILTER_REPLY, flags));
  return message(family, MESSAGE.get, NLM_F_DUMP, concatBytes(reply, filter));
}

/** ENOENT when it has ended meanwhile. */
export function deleteFlow({ asked, name }: NatFlow): Uint8Array {
  return message(ipFamily(asked.address) === 4 ? AF_INET : AF_INET6, MESSAGE.delete, 0, name);
}

/** One message of the answer to dumpFlows; undefined: not UDP, or not sent anywhere else than the client asked. */
export function decodeFlow(bytes: Uint8Array): Result<NatFlow | undefined, NetlinkFault> {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return decoded;
  const { type, payload } = decoded.value;
  if (type !== ((NFNL_SUBSYS_CTNETLINK << 8) | MESSAGE.new)) return ok(undefined);
  if (payload.length < 4) return { ok: false, error: 'truncated-payload' };
  const reader = new AttributeReader(payload.subarray(4));
  const status = reader.need(reader.be32(CTA.status), 0);
  const asked = endOf(reader.nested(CTA.original), 'destination');
  const server = endOf(reader.nested(CTA.reply), 'source');
  const isRewritten = (status & IPS_DST_NAT) !== 0;
  if (!isRewritten || asked === undefined || server === undefined) return reader.result(undefined);
  const name = concatBytes(
    ...([CTA.original, CTA.zone, CTA.id] as const).map((part) => {
      const value = reader.bytes(part);
      if (value === undefined) return new Uint8Array(0);
      return part === CTA.original ? nestedAttribute(part, value) : attribute(part, value);
    }),
  );
  return reader.result({ asked, server, name });
}

/** One end of a UDP tuple. */
function endOf(
  tuple: AttributeReader | undefined,
  end: 'source' | 'destination',
): FlowEnd | undefined {
  const addresses = tuple?.nested(TUPLE.addresses);
  const protocol = tuple?.nested(TUPLE.protocol);
  if (protocol?.u8(PROTOCOL.number) !== UDP) return undefined;
  const isSource = end === 'source';
  const { source4, destination4, source6, destination6 } = ADDRESS_TYPES;
  const bytes = isSource
    ? (addresses?.bytes(source4) ?? addresses?.bytes(source6))
    : (addresses?.bytes(destination4) ?? addresses?.bytes(destination6));
  const address = bytes === undefined ? undefined : ipFromBytes(bytes);
  const number = protocol.be16(isSource ? PROTOCOL.sourcePort : PROTOCOL.destinationPort);
  return address === undefined || number === undefined ? undefined : { address, port: number };
}

function message(family: number, number: number, flags: number, attributes: Uint8Array) {
  return encodeMessage({
    type: (NFNL_SUBSYS_CTNETLINK << 8) | number,
    flags,
    payload: concatBytes(Uint8Array.of(family, 0, 0, 0), attributes),
  });
}
