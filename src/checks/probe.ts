/**
 * A probe: one attempt at a check, over real sockets. The face between the schedule (runner.ts) and the transports.
 *
 * A prober is made once per check (regular expressions compiled, requests written); it starts probes, each of which
 * gives exactly one verdict unless it is aborted first. The schedule owns the time limit: a transport that hangs costs
 * one map entry and cannot keep anyone waiting. Nothing a server does may throw; what our own side cannot do (no
 * descriptor left, no right) is a verdict like any other, `own-limits`.
 */
import type { IpAddress } from '../base/index.ts';
import { type Check, down, type ProbeFailure, type Verdict } from '../model/index.ts';
import type { Spawner } from '../ports/index.ts';

export type Done = (verdict: Verdict) => void;

export interface RunningProbe {
  /** Frees everything; no verdict comes any more. Gives what was still awaited: `a connection`. */
  abort(): string;
  /** Settles when nothing is left: a program that was killed may take its time to go. Absent: `abort` leaves nothing. */
  readonly gone?: Promise<void>;
}

export type Prober = (done: Done) => RunningProbe;

/** Answers of ICMP echo requests. */
export interface Pinger {
  /** The verdict comes with the echo, or at once when none can be sent; the returned function ends the waiting. */
  ping(address: IpAddress, done: Done): () => void;
}

/** SYNs to a VIP at a real server's link-layer address. */
export interface Knocker {
  /** The verdict comes with the answer; the returned function ends the waiting. */
  knock(check: Check, vip: IpAddress, done: Done): () => void;
}

/** What probes need of the world. */
export type ProbeContext = {
  /** Absent: checks by program fail with `own-limits`. */
  readonly spawner?: Spawner;
  /** Whom programs run as; 65534 (nobody) unless told, and as ourselves when we are not root. */
  readonly programUser?: { readonly uid: number; readonly gid: number };
  /** Absent: checks by ping fail with `own-limits`. */
  readonly pinger?: Pinger;
  /** Absent: knocks at a VIP fail with `own-limits`. */
  readonly knocker?: Knocker;
  /** PEM certificates to trust in place of the machine's. */
  readonly roots?: readonly string[];
};

/** What the errno of a socket says about the server, or about us. */
export function socketFailure(error: unknown, check: Check): Verdict {
  const code = errorCode(error);
  const what = `${code} at ${check.address} port ${check.port}`;
  return down(FAILURES.get(code) ?? 'unreachable', what);
}

export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'message' in error && typeof error.message === 'string' ? error.message : 'unknown error';
}

/** connect(2), socket(2), send(2). What is not here is a network that does not get us there. */
const FAILURES: ReadonlyMap<string, ProbeFailure> = new Map([
  ['ECONNREFUSED', 'connect-refused'],
  ['ECONNRESET', 'closed'],
  ['ECONNABORTED', 'closed'],
  ['EPIPE', 'closed'],
  ['ETIMEDOUT', 'timeout'],
  ['EMFILE', 'own-limits'],
  ['ENFILE', 'own-limits'],
  ['ENOBUFS', 'own-limits'],
  ['ENOMEM', 'own-limits'],
  ['EADDRNOTAVAIL', 'own-limits'],
  ['EADDRINUSE', 'own-limits'],
  ['EAGAIN', 'own-limits'],
  ['EACCES', 'own-limits'],
  ['EPERM', 'own-limits'],
]);

/** A prober for a check that cannot be made. */
export function refusingProber(verdict: Verdict): Prober {
  return (done) => {
    done(verdict);
    return { abort: () => 'nothing' };
  };
}
