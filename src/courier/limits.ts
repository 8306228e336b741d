/**
 * The bounds of the courier. It stands on the network before anybody is known to be anybody, so everything that a
 * stranger can make it do has a number here.
 */
import type { Milliseconds } from '../base/index.ts';

export type Limits = {
  /** At a time, each way; an event stream takes one as long as it lasts. */
  readonly connections: number;
  /** New ones a second from the network; a burst of twice as many. */
  readonly arrivals: number;
  /** From the accept to the end of the handshake. */
  readonly handshakeMs: Milliseconds;
  /** To reach the partner on one path. */
  readonly dialMs: Milliseconds;
  /** Neither side has sent a byte. An event stream says something every two seconds. */
  readonly idleMs: Milliseconds;
  /** Of one connection, each way: a configuration of 10,000 VIPs is 1 MB. */
  readonly bytes: number;
  /** A second, of one connection, each way. */
  readonly rate: number;
  /** For what is under way when it is told to go: the answer to the change that moves it. */
  readonly lingerMs: Milliseconds;
  /** Between looks whether its socket is still there. */
  readonly lookMs: Milliseconds;
};

export const LIMITS: Limits = {
  connections: 16,
  arrivals: 20,
  handshakeMs: 3000,
  dialMs: 1000,
  idleMs: 30_000,
  bytes: 64 * 1024 * 1024,
  rate: 8 * 1024 * 1024,
  lingerMs: 3000,
  lookMs: 1000,
};
