/**
 * What main counts for metrics: changes of role, claims of others, stalls, reloads, repairs, probes, changes of real
 * servers, answers of the API.
 *
 * Everything is a running total since the start of this life, kept by the word it is told by. What was never seen is not in
 * a map; the renderer knows which words there are and begins them at 0.
 */
import { type IpAddress, type Milliseconds, unreachable } from '../base/index.ts';
import type { Note, ServerReason } from '../core/index.ts';
import type { Check, ProbeFailure, Reason, Role, Verdict } from '../model/index.ts';
import {
  type Buckets,
  checkBuckets,
  observe,
  stallBuckets,
  verificationBuckets,
} from './meters.ts';

/** Totals by two words: `active` `partner-silent`. */
export type Totals<A extends string, B extends string> = ReadonlyMap<A, ReadonlyMap<B, number>>;
export type CheckKind = Check['procedure']['kind'];

/** Plain data, shared with the ledger: read it at once, keep nothing of it. */
export type LedgerTotals = {
  readonly roleChanges: Totals<Role, Reason>;
  readonly foreignClaims: Totals<IpAddress, 'partner' | 'stranger'>;
  /** From an announcement to the first proof that it was believed, ms; once for each VIP. */
  readonly verification: Buckets;
  /** How much later than wanted this thread came to its own heartbeat, ms. */
  readonly mainStall: Buckets;
  readonly reload: { readonly isGood: boolean; readonly goodAtWallMs: number };
  /** Rows of the virtual-service table that somebody else had changed. */
  readonly tableRepairs: number;
  /** Writes to it that were refused. */
  readonly tableRefusals: number;
  readonly probes: ReadonlyMap<CheckKind, ProbeTotals>;
  readonly serverChanges: Totals<'up' | 'down', ServerReason>;
  /** By `serverKey`. */
  readonly changesOfServer: ReadonlyMap<string, number>;
  /** Answers of the API, by the socket they went out on. */
  readonly answers: Totals<string, AnswerClass>;
};

/** Of HTTP. */
export const ANSWER_CLASSES = ['2xx', '4xx', '5xx'] as const;
export type AnswerClass = (typeof ANSWER_CLASSES)[number];

export type ProbeTotals = {
  readonly tookMs: Buckets;
  readonly results: Map<'up' | ProbeFailure, number>;
};

/** A real server of a virtual service, both by their shown names. */
export function serverKey(service: string, server: string): string {
  return `${service}\n${server}`;
}

export class Ledger {
  readonly #roleChanges = new Map<Role, Map<Reason, number>>();
  readonly #foreignClaims = new Map<IpAddress, Map<'partner' | 'stranger', number>>();
  readonly #verification = verificationBuckets();
  readonly #mainStall = stallBuckets();
  readonly #probes = new Map<CheckKind, ProbeTotals>();
  readonly #serverChanges = new Map<'up' | 'down', Map<ServerReason, number>>();
  readonly #changesOfServer = new Map<string, number>();
  readonly #answers = new Map<string, Map<AnswerClass, number>>();
  #reload: LedgerTotals['reload'];
  #tableRepairs = 0;
  #tableRefusals = 0;
  #beatAtMs: Milliseconds | undefined;

  constructor(startedAtWallMs: number) {
    this.#reload = { isGood: true, goodAtWallMs: startedAtWallMs };
  }

  get totals(): LedgerTotals {
    return {
      roleChanges: this.#roleChanges,
      foreignClaims: this.#foreignClaims,
      verification: this.#verification,
      mainStall: this.#mainStall,
      reload: this.#reload,
      tableRepairs: this.#tableRepairs,
      tableRefusals: this.#tableRefusals,
      probes: this.#probes,
      serverChanges: this.#serverChanges,
      changesOfServer: this.#changesOfServer,
      answers: this.#answers,
    };
  }

  /** `isKnown`: a slow refresh that proves again what was proved. */
  noted(note: Note, isKnown: boolean): void {
    if (note.kind === 'role') addTo(this.#roleChanges, note.to, note.reason);
    if (note.kind === 'foreign-claim') addTo(this.#foreignClaims, note.vip, note.by);
    if (note.kind !== 'believed' || isKnown) return;
    for (const _ of note.vips) observe(this.#verification, note.tookMs);
  }

  /** Called every `intervalMs` if this thread is on time. */
  beat(nowMs: Milliseconds, intervalMs: Milliseconds): void {
    if (this.#beatAtMs !== undefined) {
      observe(this.#mainStall, Math.max(0, nowMs - this.#beatAtMs - intervalMs));
    }
    this.#beatAtMs = nowMs;
  }

  reloaded(isGood: boolean, wallMs: number): void {
    this.#reload = { isGood, goodAtWallMs: isGood ? wallMs : this.#reload.goodAtWallMs };
  }

  table(what: 'repaired' | 'refused', rows: number): void {
    switch (what) {
      case 'repaired':
        this.#tableRepairs += rows;
        return;
      case 'refused':
        this.#tableRefusals += rows;
        return;
      default:
        unreachable(what);
    }
  }

  probed(kind: CheckKind, verdict: Verdict, tookMs: Milliseconds): void {
    let totals = this.#probes.get(kind);
    if (totals === undefined) {
      totals = { tookMs: checkBuckets(), results: new Map() };
      this.#probes.set(kind, totals);
    }
    observe(totals.tookMs, tookMs);
    add(totals.results, verdict.isUp ? 'up' : verdict.reason);
  }

  /** The API answered somebody who came by this socket. */
  answered(socket: string, status: number): void {
    addTo(this.#answers, socket, status < 400 ? '2xx' : status < 500 ? '4xx' : '5xx');
  }

  /** A real server began or ceased to take new connections. */
  serverChanged(
    { service, server }: { readonly service: string; readonly server: string },
    to: 'up' | 'down',
    reason: ServerReason,
  ): void {
    add(this.#changesOfServer, serverKey(service, server));
    addTo(this.#serverChanges, to, reason);
  }
}

function add<K>(totals: Map<K, number>, key: K): void {
  totals.set(key, (totals.get(key) ?? 0) + 1);
}

/** One more of these two words. */
export function addTo<A, B>(totals: Map<A, Map<B, number>>, first: A, second: B): void {
  const inner = totals.get(first) ?? new Map<B, number>();
  totals.set(first, inner);
  add(inner, second);
}
