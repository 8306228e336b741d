/**
 * `GET /metrics`: one moment of this director as Prometheus text.
 *
 * Each scrape reads the definitions (metrics-pair, metrics-services, metrics-daemon) against one face and lets prom-client
 * write the text: names are validated, labels escaped, histograms laid out by the library of the field. Metrics hold no values of
 * their own between scrapes, so a real server that was removed is gone from the next one.
 * Rejected: prom-client's own counters, incremented where things happen: they would keep series of what no longer exists,
 * and the worker's numbers would have to be added up twice. Rejected: its default metrics, whose event-loop histogram wakes the
 * process a hundred times a second.
 * Source: Prometheus exposition format 0.0.4; prometheus.io "Metric and label naming", "Writing exporters".
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type DirectorFace, servicesDocument } from '../director/index.ts';
import { DAEMON_METRICS } from './metrics-daemon.ts';
import type {
  HistogramSample,
  MetricDefinition,
  MetricsFace,
  ProcessFacts,
  Sample,
} from './metrics-definition.ts';
import { PAIR_METRICS } from './metrics-pair.ts';
import { SERVICES_METRICS } from './metrics-services.ts';

export const METRICS: readonly MetricDefinition[] = [
  ...PAIR_METRICS,
  ...SERVICES_METRICS,
  ...DAEMON_METRICS,
];

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** What `GET /metrics` answers; undefined while the director starts. */
export async function metricsText(director: DirectorFace): Promise<string | undefined> {
  const status = await director.status();
  const facts = director.metrics();
  if (status === undefined || facts === undefined) return undefined;
  const running = director.services();
  const services =
    running &&
    servicesDocument(running.state, running.plane, running.observed, director.clock.now());
  return renderMetrics({ status, services, facts, process: processFacts() });
}

/**
 * The whole text. A metric without a sample is left out. All is read at once and written metric by metric, so that a
 * scrape of ten thousand real servers does not hold up the checks.
 */
export async function renderMetrics(face: MetricsFace): Promise<string> {
  const registry = new Registry();
  for (const definition of METRICS) register(registry, definition, face);
  const parts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    parts.push(await registry.getSingleMetricAsString(name));
    await setImmediate();
  }
  return `${parts.join('\n')}\n`;
}

function register(registry: Registry, definition: MetricDefinition, face: MetricsFace): void {
  const { name, help, labels, type } = definition;
  const configuration = { name, help, labelNames: labels, registers: [registry] };
  if (type === 'histogram') {
    const samples = [...definition.read(face)];
    if (samples.length > 0) new ReadHistogram(configuration, samples);
    return;
  }
  const samples = [...definition.read(face)];
  if (samples.length === 0) return;
  if (type === 'gauge') new ReadGauge(configuration, samples);
  else new ReadCounter(configuration, samples);
}

type Configuration = {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registers: Registry[];
};

// prom-client asks each metric for its values when it writes; these give what was read.

class ReadGauge extends Gauge {
  readonly #samples: readonly Sample[];

  constructor(configuration: Configuration, samples: readonly Sample[]) {
    super(configuration);
    this.#samples = samples;
  }

  override async get() {
    return { ...(await super.get()), values: this.#samples.map(written) };
  }
}

class ReadCounter extends Counter {
  readonly #samples: readonly Sample[];

  constructor(configuration: Configuration, samples: readonly Sample[]) {
    super(configuration);
    this.#samples = samples;
  }

  override async get() {
    return { ...(await super.get()), values: this.#samples.map(written) };
  }
}

class ReadHistogram extends Histogram {
  readonly #configuration: Configuration;
  readonly #samples: readonly HistogramSample[];

  constructor(configuration: Configuration, samples: readonly HistogramSample[]) {
    super(configuration);
    this.#configuration = configuration;
    this.#samples = samples;
  }

  /** What the registry asks of a histogram. */
  getForPromString() {
    const { name, help } = this.#configuration;
    const values = this.#samples.flatMap((sample) => histogramLines(name, sample));
    return Promise.resolve({ name, help, type: 'histogram', values });
  }
}

/** Labels that many series share are formatted once (prom-client's `sharedLabels`). */
function written({ labels, value }: Sample) {
  return { labels: {}, sharedLabels: labels, value };
}

/** Buckets are cumulative on paper. */
function histogramLines(name: string, { labels, buckets, divisor }: HistogramSample) {
  const { bounds, counts, sum } = buckets;
  let total = 0;
  const lines: Line[] = counts.map((count, index) => {
    total += count;
    const bound = bounds[index];
    const le = bound === undefined ? '+Inf' : String(bound / divisor);
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  lines.push({ metricName: `${name}_sum`, labels, value: sum / divisor });
  lines.push({ metricName: `${name}_count`, labels, value: total });
  return lines;
}

type Line = Sample & { readonly metricName: string };

/** This process, now. */
export function processFacts(): ProcessFacts {
  const { user, system } = process.cpuUsage();
  return {
    version: VERSION,
    node: process.versions.node,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    openFds: readdirSync('/proc/self/fd').length,
  };
}

const VERSION = versionOf(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));

function versionOf(manifest: string): string {
  const found: unknown = JSON.parse(manifest);
  const hasVersion = typeof found === 'object' && found !== null && 'version' in found;
  return hasVersion ? String(found.version) : 'unknown';
}
