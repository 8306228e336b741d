/**
 * Generic netlink: the families of the kernel that have no number of their own, such as IPVS, are asked for by name.
 *
 * ```
 *  netlink header(16), type = family | command(1) version(1) 0(2) | attributes
 * ```
 *
 * Source: linux/genetlink.h, net/netlink/genetlink.c.
 */
import { concatBytes, err, ok, type Result } from '../base/index.ts';
import {
  AttributeReader,
  decodeMessage,
  encodeMessage,
  type NetlinkFault,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  textAttribute,
} from './netlink.ts';
import { Reader, u8 } from './octets.ts';

const GENL_ID_CTRL = 16;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR = { familyId: 1, familyName: 2, version: 3, multicastGroups: 7 } as const;
const CTRL_GROUP = { name: 1, id: 2 } as const;

export type GenericRequest = {
  /** Number of the family, from decodeFamily. */
  readonly family: number;
  readonly command: number;
  readonly version: number;
  /** `dump` asks for all rows, `act` wants an acknowledgement. */
  readonly kind: 'dump' | 'act';
  readonly attributes: readonly Uint8Array[];
};

export function encodeGeneric(request: GenericRequest): Uint8Array {
  const { family, command, version, kind, attributes } = request;
  return encodeMessage({
    type: family,
    flags: NLM_F_REQUEST | (kind === 'dump' ? NLM_F_DUMP : NLM_F_ACK),
    payload: concatBytes(u8(command), u8(version), new Uint8Array(2), ...attributes),
  });
}

export type GenericMessage = {
  readonly family: number;
  readonly command: number;
  readonly attributes: AttributeReader;
};

/** Reads the two headers; the attributes are for the family's own decoder. */
export function decodeGeneric(bytes: Uint8Array): Result<GenericMessage, NetlinkFault> {
  const message = decodeMessage(bytes);
  if (!message.ok) return message;
  const reader = new Reader(message.value.payload, 'little');
  const command = reader.u8();
  reader.bytes(3);
  if (reader.isShort) return err('truncated-payload');
  const attributes = new AttributeReader(reader.rest());
  return ok({ family: message.value.type, command, attributes });
}

export type GenericFamily = {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  /** Multicast groups by name. */
  readonly groups: ReadonlyMap<string, number>;
};

/** Asks for a family; ENOENT when the kernel has none of that name (it may load a module first). */
export function encodeFamilyGet(name: string): Uint8Array {
  return encodeGeneric({
    family: GENL_ID_CTRL,
    command: CTRL_CMD_GETFAMILY,
    version: 1,
    kind: 'act',
    attributes: [textAttribute(CTRL_ATTR.familyName, name)],
  });
}

export function decodeFamily(bytes: Uint8Array): Result<GenericFamily, NetlinkFault> {
  const message = decodeGeneric(bytes);
  if (!message.ok) return message;
  const { family, command, attributes } = message.value;
  if (family !== GENL_ID_CTRL || command !== CTRL_CMD_NEWFAMILY) return err('wrong-type');
  const id = attributes.need(attributes.u16(CTRL_ATTR.familyId), 0);
  const name = attributes.need(attributes.text(CTRL_ATTR.familyName), '');
  const version = attributes.u32(CTRL_ATTR.version) ?? 0;
  const groups = new Map<string, number>();
  for (const group of attributes.nested(CTRL_ATTR.multicastGroups)?.entries() ?? []) {
    const groupName = group.text(CTRL_GROUP.name);
    const groupId = group.u32(CTRL_GROUP.id);
    if (groupName !== undefined && groupId !== undefined) groups.set(groupName, groupId);
  }
  return attributes.result({ id, name, version, groups });
}
