/**
 * A check: the configured procedure by which a real server shows that it works, and what came of one probe of it.
 *
 * A check is plain data (text and numbers), so that two virtual services which ask the same of the same server are
 * recognised by comparing text, and the probe is made once for both.
 * Source: lvs.cf(5) send, expect, send_program, timeout, reentry; docs/lvs.cf.md for today's directives.
 */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import { endpointText } from './table.ts';

/** What an answer must look like. */
export type Expectation =
  /** `*`: anything passes, even an empty answer. */
  | { readonly kind: 'anything' }
  /** The answer begins with this text (UTF-8). */
  | { readonly kind: 'prefix'; readonly text: string }
  /** POSIX extended regular expression, found anywhere in the first bytes of the answer. */
  | { readonly kind: 'regex'; readonly pattern: string };

export type TlsSettings = {
  /** Name asked for (SNI) and compared with the certificate; absent: none is sent. */
  readonly name?: string;
  /** The chain must lead to a root of this machine, and the certificate must be for `name`. */
  readonly isVerified: boolean;
  /** The certificate must be valid for this many days more; 0 = its dates are not looked at. */
  readonly minDays: number;
};

export const HTTP_METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** Inclusive. */
export type StatusRange = { readonly from: number; readonly to: number };

export const DNS_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;
export type DnsType = (typeof DNS_TYPES)[number];

/** What is done to the server. Every procedure that has a port connects to the check's. */
export type Procedure =
  /** Connect; `send` when given; compare when there is an `expect`. */
  | { readonly kind: 'tcp'; readonly send?: string; readonly expect?: Expectation }
  /** One datagram (empty without `send`); an answer must come. */
  | { readonly kind: 'udp'; readonly send?: string; readonly expect?: Expectation }
  | {
      readonly kind: 'http';
      /** Present: https. */
      readonly tls?: TlsSettings;
      readonly method: HttpMethod;
      readonly path: string;
      /** The Host header; absent: the address that is checked. */
      readonly host?: string;
      readonly statuses: readonly StatusRange[];
      /** POSIX extended regular expression, found in the first 64 KiB of the body. */
      readonly body?: string;
    }
  | { readonly kind: 'tls'; readonly tls: TlsSettings }
  /** A question over UDP; NOERROR must come back. */
  | { readonly kind: 'dns'; readonly name: string; readonly type: DnsType }
  /** Banner 220, EHLO answered 250, QUIT. */
  | { readonly kind: 'smtp'; readonly helo: string }
  /** One ICMP echo. */
  | { readonly kind: 'ping' }
  /** A SYN for the VIP in a frame to the server; SYN and ACK must come back from it. */
  | { readonly kind: 'knock'; readonly vip: IpAddress }
  | {
      readonly kind: 'program';
      readonly argv: readonly string[];
      /** Standard output less its last newline must equal this; absent: exit status 0 is enough. */
      readonly output?: string;
    };

/** How often, how long, and how many make a conclusion. */
export type CheckTiming = {
  /** From the start of one probe to the start of the next; 10 ms or more. */
  readonly intervalMs: Milliseconds;
  /** A probe not finished by then has failed; 1 ms or more. */
  readonly timeoutMs: Milliseconds;
  /** Successes in a row that bring a server back which was down. The first success of a life is always enough. */
  readonly rise: number;
  /** Failures in a row that take it out. */
  readonly fall: number;
};

export type Check = CheckTiming & {
  /** Everything below as text: equal keys are one check. */
  readonly key: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly procedure: Procedure;
};

/** Why a probe failed. The same word in logs, metrics, API and console. */
export const PROBE_FAILURES = [
  'connect-refused', // nobody listens there
  'unreachable', // no route, host or network unreachable
  'timeout', // no verdict within the limit
  'closed', // the connection ended before the answer was complete
  'wrong-answer', // it answered, but not what was expected
  'answer-too-long', // more than a check reads
  'tls-refused', // no TLS session came about
  'certificate', // not trusted, for another name, or about to expire
  'program-failed', // could not be run, non-zero status, killed by a signal
  'bad-check', // the check itself cannot be made: a bad regular expression
  'own-limits', // this director could not make the probe: file table or ports exhausted, no right to
] as const;
export type ProbeFailure = (typeof PROBE_FAILURES)[number];

/** What is checked, as `check = ...` names it; `nanny` when the directive is absent: the rules of Piranha. */
export const CHECK_KINDS = [
  'nanny',
  'tcp',
  'udp',
  'http',
  'https',
  'tls',
  'dns',
  'smtp',
  'ping',
  'program',
] as const;
export type CheckKind = (typeof CHECK_KINDS)[number];

/** The check directives of one virtual service. What is absent follows from the service (docs/lvs.cf.md). */
export type CheckSettings = {
  readonly kind: CheckKind;
  /** Absent: `timeout` seconds. */
  readonly intervalMs?: Milliseconds;
  /** Absent: the interval. */
  readonly timeoutMs?: Milliseconds;
  /** Absent: as many as fit into `reentry`, at least 1. */
  readonly rise?: number;
  readonly fall: number;
  /** Absent: the real server's. */
  readonly address?: IpAddress;
  readonly port?: number;
  readonly httpMethod: HttpMethod;
  readonly httpPath: string;
  readonly httpHost?: string;
  readonly httpStatuses: readonly StatusRange[];
  readonly httpBody?: string;
  /** Absent: `httpHost`. */
  readonly tlsName?: string;
  readonly tlsIsVerified: boolean;
  readonly tlsMinDays: number;
  readonly dnsName: string;
  readonly dnsType: DnsType;
  readonly smtpHelo: string;
  /** Beside the check, the server must answer for the VIP itself (`check_vip = 1`); direct routing only. */
  readonly isVipChecked: boolean;
};

export const DEFAULT_CHECK_SETTINGS: CheckSettings = {
  kind: 'nanny',
  fall: 1,
  httpMethod: 'GET',
  httpPath: '/',
  httpStatuses: [{ from: 200, to: 399 }],
  tlsIsVerified: false,
  tlsMinDays: 0,
  dnsName: '.',
  dnsType: 'SOA',
  smtpHelo: 'localhost',
  isVipChecked: false,
};

/** When a virtual service has enough servers to be worth anything; its hooks run at the changes. */
export type Quorum = {
  /** Sum of the configured weights of the servers in service. */
  readonly weight: number;
  /** Reached at `weight + hysteresis`, lost below `weight - hysteresis`. */
  readonly hysteresis: number;
  readonly upCommand?: string;
  readonly downCommand?: string;
};

export const DEFAULT_QUORUM: Quorum = { weight: 1, hysteresis: 0 };

/** What one probe says. `detail` is for people: at most 200 characters, printable, one line. */
export type Verdict =
  | { readonly isUp: true }
  | { readonly isUp: false; readonly reason: ProbeFailure; readonly detail: string };

export const UP: Verdict = { isUp: true };
const MAX_DETAIL = 200;

/** A failed verdict. What a server sent may stand in `detail`: control characters become dots, the rest is cut. */
export function down(reason: ProbeFailure, detail: string): Verdict {
  const cut = detail.slice(0, MAX_DETAIL);
  return { isUp: false, reason, detail: cut.replace(/[^\x20-\x7e\u00a0-\ud7ff]/g, '.') };
}

/** Completes a check with its key. */
export function makeCheck(parts: Omit<Check, 'key'>): Check {
  const { address, port, intervalMs, timeoutMs, rise, fall, procedure } = parts;
  const key = JSON.stringify([address, port, intervalMs, timeoutMs, rise, fall, procedure]);
  return { key, address, port, intervalMs, timeoutMs, rise, fall, procedure };
}

/** For people: `tcp 198.51.100.21:8080`, `ping 198.51.100.21`. */
export function checkText(check: Check): string {
  const { address, port, procedure } = check;
  if (procedure.kind === 'ping') return `ping ${address}`;
  if (procedure.kind === 'knock') return `knock ${endpointText(procedure.vip, port)} at ${address}`;
  const kind = procedure.kind === 'http' && procedure.tls !== undefined ? 'https' : procedure.kind;
  return `${kind} ${endpointText(address, port)}`;
}
