/**
 * Pings for all checks together: one socket per IP version, a number for each question, and who waits for it.
 * Numbers go round after 65,536 questions; an answer that late has long run into its limit.
 */
import { randomInt } from 'node:crypto';
import { type IpAddress, ipFamily, ok, type Result } from '../base/index.ts';
import { down, type PortError, UP } from '../model/index.ts';
import { type EchoSocket, openEchoSocket, watchReadable } from '../ports/index.ts';
import type { Done, Pinger } from './probe.ts';

type Waiting = { readonly address: IpAddress; readonly done: Done };

/** Needs CAP_NET_RAW; a machine without IPv6 can still ping over IPv4. */
export function openPinger(): Result<Pinger & { close(): void }, PortError> {
  const identifier = randomInt(65536);
  const ipv4 = openEchoSocket(4, identifier);
  if (!ipv4.ok) return ipv4;
  const ipv6 = openEchoSocket(6, identifier);
  const waiting = new Map<number, Waiting>();
  const stops: (() => void)[] = [];
  const sockets = new Map<4 | 6, EchoSocket>([[4, ipv4.value]]);
  if (ipv6.ok) sockets.set(6, ipv6.value);
  const close = () => {
    for (const stop of stops) stop();
    for (const socket of sockets.values()) socket.close();
  };
  for (const socket of sockets.values()) {
    const watch = watchReadable(socket.fd, () => settle(socket, waiting));
    if (!watch.ok) {
      close();
      return watch;
    }
    stops.push(watch.value.stop);
  }
  let sequence = 0;
  const ping = (address: IpAddress, done: Done) => {
    const socket = sockets.get(ipFamily(address));
    const number = sequence++ & 0xffff;
    const refusal = socket === undefined ? { code: 'EAFNOSUPPORT' } : socket.send(address, number);
    if (refusal !== undefined) {
      const isOurs = ['ENOBUFS', 'ENOMEM', 'EPERM', 'EAFNOSUPPORT'].includes(refusal.code);
      done(down(isOurs ? 'own-limits' : 'unreachable', `${refusal.code} at ${address}`));
      return () => {};
    }
    waiting.set(number, { address, done });
    return () => {
      waiting.delete(number);
    };
  };
  return ok({ ping, close });
}

function settle(socket: EchoSocket, waiting: Map<number, Waiting>): void {
  for (const { from, sequence } of socket.receive()) {
    const asked = waiting.get(sequence);
    // Our identifier and number from somebody else: forged, or an answer to a question long given up.
    if (asked?.address !== from) continue;
    waiting.delete(sequence);
    asked.done(UP);
  }
}
