/**
 * The shape of a metric's definition: name, labels, help and how its samples are read, in one row.
 *
 * The rows are the single place that knows a metric: the text for Prometheus, docs/metrics.md and `piranha explain` come
 * from them. Reading is pure: one face in, samples out; nothing is kept between two scrapes.
 */
import type { Buckets, MetricFacts, ServicesDocument, StatusDocument } from '../director/index.ts';

/** What a scrape is rendered from: one moment of one director. */
export type MetricsFace = {
  readonly status: StatusDocument;
  /** Absent: the virtual services have not been started yet. */
  readonly services: ServicesDocument | undefined;
  readonly facts: MetricFacts;
  readonly process: ProcessFacts;
};

export type ProcessFacts = {
  readonly version: string;
  readonly node: string;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly openFds: number;
};

export type Labels = { readonly [name: string]: string };
export type Sample = { readonly labels: Labels; readonly value: number };
/** Bounds and sum are divided by `divisor`. */
export type HistogramSample = {
  readonly labels: Labels;
  readonly buckets: Buckets;
  readonly divisor: number;
};

type Common = {
  /** Ends in its unit (`_seconds`, `_bytes`, `_ratio`); counters end in `_total`. */
  readonly name: string;
  /** In the order in which they are written. */
  readonly labels: readonly string[];
  /** One sentence, what a person needs to read the number. */
  readonly help: string;
};

export type NumberDefinition = Common & {
  readonly type: 'gauge' | 'counter';
  readonly read: (face: MetricsFace) => Iterable<Sample>;
};

export type HistogramDefinition = Common & {
  readonly type: 'histogram';
  readonly read: (face: MetricsFace) => Iterable<HistogramSample>;
};

export type MetricDefinition = NumberDefinition | HistogramDefinition;

/** What is kept in milliseconds is told in seconds. */
export const PER_SECOND = 1000;
const NO_LABELS: Labels = {};

/** A metric of one series. */
export function single(value: number | boolean | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: NO_LABELS, value: Number(value) }];
}

/** One series for each of `words`; 1 on the current one. */
export function stateSet<W extends string>(
  label: string,
  words: readonly W[],
  current: W,
  more: Labels = NO_LABELS,
): readonly Sample[] {
  return words.map((word) => ({
    labels: { ...more, [label]: word },
    value: Number(word === current),
  }));
}
