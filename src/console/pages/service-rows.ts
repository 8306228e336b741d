/**
 * From the table of virtual services to the rows of the page: a service, then its real servers, each with its state in a word,
 * a mark and a colour. Pure; and quick, because a page may hold a thousand services of ten servers and is told anew every
 * second or two.
 */
import type { CheckRun, ServerRow, ServiceRow, ServicesDocument } from './documents.ts';
import type { PairVerdict, Tone } from './monitor.ts';
import { ageText, counted, lengthText } from './words.ts';

export type TableRow =
  | { readonly kind: 'service'; readonly key: string; readonly service: ServiceRow }
  | {
      readonly kind: 'server';
      readonly key: string;
      readonly service: ServiceRow;
      readonly server: ServerRow;
    };

export type RowFilter = { readonly words: string; readonly isTroubleOnly: boolean };

/** The rows of a service that has not changed are not made again. */
const known = new WeakMap<ServiceRow, readonly TableRow[]>();

function rowsOf(service: ServiceRow): readonly TableRow[] {
  const found = known.get(service);
  if (found !== undefined) return found;
  const rows: readonly TableRow[] = [
    { kind: 'service', key: service.key, service },
    ...service.servers.map((server): TableRow => {
      const key = `${service.key} ${server.address}:${server.port}`;
      return { kind: 'server', key, service, server };
    }),
  ];
  known.set(service, rows);
  return rows;
}

/** A service is shown when it or one of its servers fits; then with the servers that fit. */
export function tableRows(
  { services }: ServicesDocument,
  { words, isTroubleOnly }: RowFilter,
): readonly TableRow[] {
  if (words === '' && !isTroubleOnly) return services.flatMap(rowsOf);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows: TableRow[] = [];
  for (const service of services) {
    const title = `${service.name} ${service.key}`.toLowerCase();
    const isTitled = wanted.every((word) => title.includes(word));
    const servers = service.servers.filter((server) => {
      if (isTroubleOnly && serverState(server).tone === 'good') return false;
      if (isTitled) return true;
      const text = `${title} ${server.name} ${server.address} ${server.reason}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const isShown = isTroubleOnly
      ? servers.length > 0 || (isTitled && serviceState(service).tone === 'bad')
      : servers.length > 0 || isTitled;
    if (!isShown) continue;
    rows.push({ kind: 'service', key: service.key, service });
    for (const server of servers) {
      const key = `${service.key} ${server.address}:${server.port}`;
      rows.push({ kind: 'server', key, service, server });
    }
  }
  return rows;
}

export type State = { readonly tone: Tone; readonly text: string };

export function serviceState({ servers, quorum, stands, sorryServer }: ServiceRow): State {
  const up = servers.filter(({ state }) => state === 'active').length;
  const text = `${up} of ${servers.length} up`;
  if (sorryServer?.isShown === true) return { tone: 'bad', text: `${text}, sorry server` };
  if (quorum === 'lost') return { tone: 'bad', text: `${text}, quorum lost` };
  if (!stands) return { tone: 'warn', text: `${text}, not in the kernel` };
  if (up === 0 && servers.length > 0) return { tone: 'bad', text };
  return { tone: up === servers.length ? 'good' : 'warn', text };
}

const OPERATOR: ReadonlySet<string> = new Set(['drained', 'weighed', 'disabled', 'forced-up']);

export function serverState({ state, reason, sinceMs, override }: ServerRow): State {
  const left = override?.leftMs === undefined ? '' : `, ${ageText(override.leftMs)} left`;
  if (OPERATOR.has(reason)) return { tone: 'info', text: `${reason}${left}` };
  if (reason === 'unproven') return { tone: 'dim', text: reason };
  if (reason === 'recovering') return { tone: 'warn', text: reason };
  if (state === 'active') {
    return { tone: 'good', text: reason === 'healthy' ? `up ${ageText(sinceMs)}` : reason };
  }
  return { tone: 'bad', text: `down ${ageText(sinceMs)}` };
}

type Health = { readonly isLost: boolean; readonly missing: number };
/** Of a thousand services most are as they were. */
const judged = new WeakMap<ServiceRow, Health>();

function healthOf(service: ServiceRow): Health {
  const found = judged.get(service);
  if (found !== undefined) return found;
  const missing = service.servers.filter((server) => {
    const { tone } = serverState(server);
    return tone === 'bad' || tone === 'warn';
  }).length;
  const health = { isLost: serviceState(service).tone === 'bad', missing };
  judged.set(service, health);
  return health;
}

/** The verdict over the pair does not say that all is well while a service gets no answer, or a server is missing. */
export function withServices(verdict: PairVerdict, { services }: ServicesDocument): PairVerdict {
  const lost: ServiceRow[] = [];
  let [missing, servers] = [0, 0];
  for (const service of services) {
    const health = healthOf(service);
    if (health.isLost) lost.push(service);
    missing += health.missing;
    servers += service.servers.length;
  }
  const [first] = lost;
  const title = verdict.title.replace(/^Healthy\. /, '');
  if (first !== undefined) {
    const more = lost.length > 1 ? ` and ${counted(lost.length - 1, 'more service')}` : '';
    const what = `${first.name}${more} cannot be served (${serviceState(first).text})`;
    return { ...verdict, tone: 'bad', title: `${what}. ${title}` };
  }
  if (missing === 0 || verdict.tone === 'bad') return verdict;
  const what = `${missing} of ${counted(servers, 'real server')} not up`;
  return { ...verdict, tone: 'warn', title: `${what}. ${title}` };
}

/** `200 in 3 ms` as the check said it, or the word of the closed list. */
export function checkWords({ reason, detail, state }: ServerRow): string {
  if (detail !== undefined) return `${reason}: ${detail}`;
  return state === 'active' && reason === 'healthy' ? 'ok' : reason;
}

/** The answer of one probe, in a sentence. */
export function runText(target: string, run: CheckRun): ['good' | 'bad', string] {
  const { verdict, reason, detail, tookMs } = run;
  const isUp = verdict === 'up';
  const why = [reason, detail].filter(Boolean).join(': ');
  const after = `in ${lengthText(tookMs)}`;
  return isUp
    ? ['good', `${target}: the check is up, ${after}${why === '' ? '' : ` (${why})`}.`]
    : ['bad', `${target}: ${why === '' ? verdict : why}, ${after}.`];
}

/** `3`; `0 (2)`: not what lvs.cf says, in brackets what it says. */
export function weightText({ weight, configuredWeight }: ServerRow): string {
  const shown = weight ?? '–';
  return weight === configuredWeight ? `${shown}` : `${shown} (${configuredWeight})`;
}

/** Samples of rates by row, newest last; as many as a sparkline shows. Rows that have gone are forgotten. */
export class RateHistory {
  readonly #length: number;
  #rings = new Map<string, number[]>();

  constructor(length: number) {
    this.#length = length;
  }

  add({ services }: ServicesDocument): void {
    const next = new Map<string, number[]>();
    for (const service of services) {
      for (const row of rowsOf(service)) {
        const ring = this.#rings.get(row.key) ?? [];
        const { traffic } = row.kind === 'service' ? row.service : row.server;
        ring.push(traffic?.connectionRate ?? 0);
        if (ring.length > this.#length) ring.shift();
        next.set(row.key, ring);
      }
    }
    this.#rings = next;
  }

  of(key: string): readonly number[] {
    return this.#rings.get(key) ?? [];
  }
}

/** An SVG path through the samples, right-aligned: what is not known yet is left out, not drawn as zero. */
export function sparkPath(
  samples: readonly number[],
  size: { readonly width: number; readonly height: number; readonly length: number },
): string {
  const { width, height, length } = size;
  const top = Math.max(...samples, 1);
  const step = width / (length - 1);
  const first = length - samples.length;
  return samples
    .map((sample, index) => {
      const x = ((first + index) * step).toFixed(1);
      const y = (height - 1 - (sample / top) * (height - 2)).toFixed(1);
      return `${index === 0 ? 'M' : 'L'}${x} ${y}`;
    })
    .join('');
}

/** Which rows of a scrolled list are in sight, with some on both sides. */
export function rowsInSight(view: {
  readonly count: number;
  readonly rowHeight: number;
  readonly scrollTop: number;
  readonly height: number;
}): { readonly from: number; readonly to: number } {
  const SPARE = 12;
  const { count, rowHeight, scrollTop, height } = view;
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - SPARE);
  const to = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + SPARE);
  return { from: Math.min(from, to), to };
}
