/**
 * What is known now, as signals: the two status documents, the services, what has happened; fed by one stream. The page counts
 * ages on by itself and says loudly when nothing has come for three seconds.
 */
import { computed, signal } from '@preact/signals';
import { clockOf } from './audit-rows.ts';
import type { EventDocument, ServiceRow, ServicesDocument, StatusDocument } from './documents.ts';
import { type Node, otherNode, type Pair } from './monitor.ts';
import type { Session, Side } from './net.ts';
import { RateHistory } from './service-rows.ts';

export const session = signal<Session | undefined>(undefined);
export const here = signal<StatusDocument | undefined>(undefined);
export const there = signal<StatusDocument | undefined>(undefined);
/** How far each director's clock is ahead of the console's, when it last said something. */
const clocks = {
  local: signal<number | undefined>(undefined),
  partner: signal<number | undefined>(undefined),
};
/** Why the local director, or the partner's, says nothing. */
export const whyNotHere = signal<string | undefined>(undefined);
export const whyNotThere = signal<string | undefined>(undefined);
export const services = signal<ServicesDocument | undefined>(undefined);
export const servicesThere = signal<ServicesDocument | undefined>(undefined);
export const happenings = signal<readonly EventDocument[]>([]);
/** By this browser's wall clock. */
export const lastTruthAt = signal(0);
export const now = signal(Date.now());

export const pair = computed<Pair | undefined>(() => {
  const [own, other, why] = [here.value, there.value, whyNotThere.value];
  if (own === undefined) return undefined;
  return {
    here: own,
    ...(other !== undefined && { there: other }),
    ...(why !== undefined && { why }),
  };
});

/** What two clocks may differ by before anybody notices, in ms; what an answer took is in it, too. */
const SAME_CLOCK_MS = 1000;

/** How far the partner's clock is ahead of this machine's; 0: not far, or not known. */
export const aheadMs = computed(() => {
  const [own, other] = [clocks.local.value, clocks.partner.value];
  if (own === undefined || other === undefined) return 0;
  return Math.abs(other - own) < SAME_CLOCK_MS ? 0 : Math.round((other - own) / 100) * 100;
});

/** `at`: when the console got it, by its own clock. */
export function setStatus(side: Side, document: StatusDocument, at: number): void {
  const [status, why] = side === 'local' ? [here, whyNotHere] : [there, whyNotThere];
  status.value = document;
  why.value = undefined;
  clocks[side].value = clockOf(document) - at;
}

/** What the partner said is past: it cannot be asked any more. */
export function forgetPartner(why: string): void {
  there.value = undefined;
  servicesThere.value = undefined;
  whyNotThere.value = why;
}

/** The name of the node on that side; `partner` before anything is known. */
export function nodeOf(side: Side): Node | Side {
  if (here.value === undefined) return side;
  return side === 'local' ? here.value.node : otherNode(here.value);
}

export function mayOperate(): boolean {
  return session.value !== undefined && session.value.rights !== 'look';
}

const STALE_MS = 3000;
const SAMPLE_MS = 2000;
const KEPT_HAPPENINGS = 200;
export const SAMPLES = 60;

export const isStale = computed(
  () => lastTruthAt.value > 0 && now.value - lastTruthAt.value > STALE_MS,
);

export const history = new RateHistory(SAMPLES);
/** Counts up when there are new samples. */
export const sampled = signal(0);
/** When a row was last told: its ages count from there. */
const toldAt = new WeakMap<ServiceRow, number>();

export function ageOfRow(row: ServiceRow, nowMs: number): number {
  return Math.max(0, nowMs - (toldAt.get(row) ?? nowMs));
}

export function setServices(side: Side, document: ServicesDocument): void {
  const at = Date.now();
  for (const row of document.services) toldAt.set(row, at);
  servicesOf(side).value = document;
}

function servicesOf(side: Side) {
  return side === 'local' ? services : servicesThere;
}

/** Rows that changed, and everything beside the rows. */
export function changeServices(
  side: Side,
  rows: readonly ServiceRow[],
  rest: Omit<ServicesDocument, 'services'>,
): void {
  const told = servicesOf(side);
  const old = told.value;
  if (old === undefined) return;
  const at = Date.now();
  const fresh = new Map(rows.map((row) => [row.key, row]));
  for (const row of rows) toldAt.set(row, at);
  told.value = { ...rest, services: old.services.map((row) => fresh.get(row.key) ?? row) };
}

/** Newest first, each once: a stream that resumes may tell what was read before. */
export function addHappening(event: EventDocument): void {
  const known = happenings.value;
  if (
    event.id !== undefined &&
    known.some(({ id, node }) => id === event.id && node === event.node)
  )
    return;
  happenings.value = [event, ...known]
    .toSorted((a, b) => b.at.localeCompare(a.at))
    .slice(0, KEPT_HAPPENINGS);
}

/** A beat of the stream: so many milliseconds ago the local director answered; null: it never did. */
export function isAlive(localMs: number | null): void {
  if (localMs !== null) lastTruthAt.value = Date.now() - localMs;
}

/** The page's own clock and the sampling of rates. */
export function startClock(): void {
  setInterval(() => {
    now.value = Date.now();
  }, 1000);
  setInterval(() => {
    if (services.value === undefined || isStale.value || document.hidden) return;
    history.add(services.value);
    sampled.value++;
  }, SAMPLE_MS);
}
