/**
 * The courier's keys, derived from the heartbeat keys by HKDF-SHA256 (RFC 5869): who has the courier's cannot
 * sign a heartbeat.
 *
 * Each direction has a key of its own, named after the node that connects. With one key for both, somebody
 * between the two could lead our own connection back to us and we would take ourselves for the partner (the
 * "Selfie" attack on TLS 1.3 with pre-shared keys). The identity that goes over the wire in the clear is derived, too:
 * it says which key is meant during a rotation, and nothing about it.
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex, utf8 } from '../base/index.ts';
import type { Node } from '../model/index.ts';

/** 64 hexadecimal digits. */
export type Secret = { readonly identity: string; readonly key: string };

/** `outgoing` proves us to the partner; each of `incoming` proves the partner to us. */
export type CourierSecrets = { readonly outgoing: Secret; readonly incoming: readonly Secret[] };

const LABEL = 'piranha courier 1';
const KEY_BYTES = 32;
const IDENTITY_BYTES = 8;

/** Undefined without a heartbeat key: then there is no courier. The first key signs, each is accepted. */
export function courierSecrets(
  heartbeatKeys: readonly Uint8Array[],
  node: Node,
): CourierSecrets | undefined {
  const [first] = heartbeatKeys;
  if (first === undefined) return undefined;
  const partner = node === 'primary' ? 'backup' : 'primary';
  return {
    outgoing: secretOf(first, node),
    incoming: heartbeatKeys.map((key) => secretOf(key, partner)),
  };
}

function secretOf(heartbeatKey: Uint8Array, connecting: Node): Secret {
  const derive = (info: string, length: number): string =>
    toHex(hkdf(sha256, heartbeatKey, undefined, utf8(info), length), '');
  return {
    identity: `${connecting}-${derive(`${LABEL} ${connecting} identity`, IDENTITY_BYTES)}`,
    key: derive(`${LABEL} ${connecting}`, KEY_BYTES),
  };
}
