/**
 * TLS 1.3 between the couriers, proved on both sides by a key they share; no certificate is made, shown or believed.
 *
 * The key exchange is ephemeral (psk_dhe_ke): who learns the key later reads nothing of what was said before. A server
 * that does not know the key cannot go on, a client that does not is refused before it has said a byte of HTTP.
 * Rejected: certificates (a second secret to distribute, rotate and let expire), SSH (a second daemon's opinion of
 * the pair), and signing requests one by one (no secrecy, and our own protocol).
 * Source: RFC 8446 §2.2 and §4.2.9; Node's tls, "Pre-shared keys".
 */
import type { Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { fromHex } from '../base/index.ts';
import type { Limits } from './limits.ts';
import type { CourierSecrets } from './secrets.ts';

/** Node wants Buffers here. */
const keyOf = (hex: string): Buffer => Buffer.from(fromHex(hex));

const ONLY_TLS_13 = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // Pre-shared keys of this kind are bound to SHA-256.
  ciphers: 'TLS_AES_128_GCM_SHA256',
} as const;

export function serverOptions(secrets: CourierSecrets, limits: Limits): TlsOptions {
  return {
    ...ONLY_TLS_13,
    handshakeTimeout: limits.handshakeMs,
    pskCallback: (_socket, identity) => {
      const known = secrets.incoming.find((secret) => secret.identity === identity);
      return known === undefined ? null : keyOf(known.key);
    },
  };
}

/** Speaks TLS over a connected socket; `done` is told once: undefined, or the sentence why not. */
export function secureClient(
  socket: Socket,
  { outgoing }: CourierSecrets,
  limits: Limits,
  done: (refusal: string | undefined) => void,
): TLSSocket {
  const tls = process.getBuiltinModule('node:tls');
  const secured = tls.connect({
    ...ONLY_TLS_13,
    socket,
    pskCallback: () => ({ identity: outgoing.identity, psk: keyOf(outgoing.key) }),
    // Asked only when a certificate was shown instead of the key having been proved.
    checkServerIdentity: () => new Error('the partner showed a certificate'),
  });
  let isSettled = false;
  const settle = (refusal: string | undefined): void => {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(limit);
    if (refusal !== undefined) secured.destroy();
    done(refusal);
  };
  const limit = setTimeout(() => settle('the handshake took too long'), limits.handshakeMs);
  secured.once('secureConnect', () => {
    // With a pre-shared key the session counts as resumed; anything else is not our partner.
    settle(secured.isSessionReused() ? undefined : 'the key was not proved');
  });
  secured.on('error', (error) => settle(handshakeText(error)));
  secured.once('close', () => settle('the connection was closed during the handshake'));
  return secured;
}

/** What OpenSSL says of a wrong key is not for people. */
export function handshakeText(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  const isKey = /BINDER|DECRYPT_ERROR|HANDSHAKE_FAILURE|SIGNATURE_ALGORITHM/.test(code);
  if (isKey) return 'the keys differ: is heartbeat_key_file the same on both nodes?';
  return code === '' ? error.message : code;
}
