/**
 * What is known now, as signals: the two status documents, the services, what has happened; fed by one stream. The page counts
 * ages on by itself and says loudly when nothing has come for three seconds.
 */
import { computed, signal } from '@preact/signals';
import type { EventDocument, ServiceRow, ServicesDocument, StatusDocument } from './documents.ts';
import type { Pair } from './monitor.ts';
import type { Session } from './net.ts';
import { RateHistory } from './service-rows.ts';

export const session = signal<Session | undefined>(undefined);
export const here = signal<StatusDocument | undefined>(undefined);
export const there = signal<StatusDocument | undefined>(undefined);
/** Why the local director, or the partner's, says nothing. */
export const whyNotHere = signal<string | undefined>(undefined);
export const whyNotThere = signal<string | undefined>(undefined);
export const services = signal<ServicesDocument | undefined>(undefined);
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

export function setServices(document: ServicesDocument): void {
  const at = Date.now();
  for (const row of document.services) toldAt.set(row, at);
  services.value = document;
}

/** Rows that changed, and everything beside the rows. */
export function changeServices(
  rows: readonly ServiceRow[],
  rest: Omit<ServicesDocument, 'services'>,
): void {
  const old = services.value;
  if (old === undefined) return;
  const at = Date.now();
  const fresh = new Map(rows.map((row) => [row.key, row]));
  for (const row of rows) toldAt.set(row, at);
  services.value = { ...rest, services: old.services.map((row) => fresh.get(row.key) ?? row) };
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
