/**
 * The kernels as the observer sees them: addresses of the directors and the router's neighbour entries, by rtnetlink
 * (rtnetlink(7), linux/if_addr.h, linux/neighbour.h). Its own small reader, not the director's: an observer that shares the
 * code of the observed would share its mistakes.
 */
import { type IpAddress, ipFromBytes, type MacAddress, macFromBytes } from '../src/base/index.ts';
import { LinuxPoller, native } from '../src/ports/index.ts';
import {
  AttributeReader,
  decodeMessage,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  splitMessages,
} from '../src/wire/index.ts';
import { type Arrival, openRoute, receive, send } from './sockets.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const NDA_DST = 1;
const NDA_LLADDR = 2;

/** The changes of one address in what a socket of the address groups received. */
export function* followAddresses(
  arrivals: Iterable<Arrival>,
  vip: IpAddress,
): Generator<'raised' | 'gone'> {
  for (const message of messagesOf(arrivals)) {
    if (addressIn(message) !== vip) continue;
    if (message.type === RTM_NEWADDR) yield 'raised';
    if (message.type === RTM_DELADDR) yield 'gone';
  }
}

export type NeighbourRow = { readonly mac: MacAddress | undefined; readonly state: number };

/** The changes of one neighbour entry; a deleted one has state 0. */
export function* followNeighbours(
  arrivals: Iterable<Arrival>,
  vip: IpAddress,
): Generator<NeighbourRow> {
  for (const message of messagesOf(arrivals)) {
    const row = neighbourIn(message, vip);
    if (row !== undefined) yield row;
  }
}

/** All addresses of the namespace this thread is in. */
export function dumpAddresses(): IpAddress[] {
  return dump(RTM_GETADDR, 8)
    .map(addressIn)
    .filter((address) => address !== undefined);
}

/** The entry for `vip` in the namespace this thread is in. */
export function dumpNeighbours(vip: IpAddress): NeighbourRow | undefined {
  return dump(RTM_GETNEIGH, 12)
    .map((message) => neighbourIn(message, vip))
    .find((row) => row !== undefined);
}

function dump(type: number, payloadLength: number): NetlinkMessage[] {
  const fd = openRoute(0);
  try {
    const flags = NLM_F_REQUEST | NLM_F_DUMP;
    send(fd, encodeMessage({ type, flags, payload: new Uint8Array(payloadLength) }), undefined);
    const poller = new LinuxPoller();
    const found: NetlinkMessage[] = [];
    while (poller.wait([fd], 1000).length > 0) {
      for (const message of messagesOf(receive(fd, 8192))) {
        if (message.type === NLMSG_DONE) return found;
        found.push({ ...message, payload: message.payload.slice() });
      }
    }
    throw new Error('the kernel did not finish a netlink dump within a second');
  } finally {
    native().close(fd);
  }
}

function* messagesOf(arrivals: Iterable<Arrival>): Generator<NetlinkMessage> {
  for (const { bytes } of arrivals) {
    const parts = splitMessages(bytes);
    if (!parts.ok) throw new Error(`netlink: ${parts.error}`);
    for (const part of parts.value) {
      const message = decodeMessage(part);
      if (message.ok) yield message.value;
    }
  }
}

function addressIn({ type, payload }: NetlinkMessage): IpAddress | undefined {
  if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return undefined;
  const attributes = new AttributeReader(payload.subarray(8));
  const bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS);
  return bytes === undefined ? undefined : ipFromBytes(bytes);
}

function neighbourIn({ type, payload }: NetlinkMessage, vip: IpAddress): NeighbourRow | undefined {
  if (type !== RTM_NEWNEIGH && type !== RTM_DELNEIGH) return undefined;
  const attributes = new AttributeReader(payload.subarray(12));
  const destination = attributes.bytes(NDA_DST);
  if (destination === undefined || ipFromBytes(destination) !== vip) return undefined;
  const state = new DataView(payload.buffer, payload.byteOffset).getUint16(8, true);
  const link = attributes.bytes(NDA_LLADDR);
  const mac = type === RTM_NEWNEIGH && link !== undefined ? macFromBytes(link) : undefined;
  return { mac, state: type === RTM_NEWNEIGH ? state : 0 };
}
