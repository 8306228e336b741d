/**
 * `piranha top`: virtual services and real servers by their traffic, the busiest first, every second until interrupted.
 * The rates are the data plane's own (IPVS averages over two seconds); a plane that counts nothing is said so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServicesDocument } from '../director/index.ts';
import { TOP } from './look-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { clearScreen } from './paint.ts';
import { askServices, unknown } from './services.ts';
import { bytesText } from './services-text.ts';
import { nodeOf } from './status.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

const EVERY_MS = 1000;

export type TopRow = {
  readonly kind: 'service' | 'server';
  readonly name: string;
  readonly state: string;
  readonly connectionRate: number;
  readonly inByteRate: number;
  readonly outByteRate: number;
  readonly active: number;
};

export const topCommand = withOptions('top', TOP, async ({ flags, values }) => {
  const node = nodeOf(values.get('node'));
  if (node === undefined) return misuse('top', '--node is own or partner');
  const lines = Number(values.get('lines') ?? 20);
  if (!Number.isInteger(lines) || lines < 1) return misuse('top', '--lines takes a whole number');
  const isOnce = flags.has('once') || !process.stdout.isTTY;
  for (;;) {
    const answer = await askServices(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY, node);
    if (!isOnce) clearScreen();
    if (flags.has('json')) sayJson(jsonOf(answer, lines), !isOnce);
    else if (!answer.ok) process.stderr.write(`piranha top: ${answer.error}\n`);
    else say(topText(answer.value, lines));
    if (isOnce) return answer.ok ? 0 : 3;
    await sleep(EVERY_MS);
  }
});

function jsonOf(answer: Awaited<ReturnType<typeof askServices>>, lines: number): object {
  return answer.ok ? { v: 1, rows: topRows(answer.value).slice(0, lines) } : unknown(answer.error);
}

/** Services and servers in one list: new connections a second, then connections that stand, then the name. */
export function topRows({ services }: ServicesDocument): readonly TopRow[] {
  const rows = services.flatMap((service): readonly TopRow[] => [
    {
      kind: 'service',
      name: `${service.name} ${service.key}`,
      state: service.quorum === 'lost' ? 'quorum lost' : service.stands ? 'stands' : 'absent',
      ...rates(service.traffic),
      active: service.servers.reduce((sum, { connections }) => sum + (connections?.active ?? 0), 0),
    },
    ...service.servers.map(
      (server): TopRow => ({
        kind: 'server',
        name: `${service.name}/${server.name}`,
        state: server.state === 'active' ? 'active' : `${server.state}: ${server.reason}`,
        ...rates(server.traffic),
        active: server.connections?.active ?? 0,
      }),
    ),
  ]);
  return rows.sort(
    (a, b) =>
      b.connectionRate - a.connectionRate ||
      b.active - a.active ||
      // Not by the rules of a language: of ten thousand idle servers that took longer than to ask for them.
      (a.name < b.name ? -1 : 1),
  );
}

function rates(traffic: ServicesDocument['services'][number]['traffic']) {
  const { connectionRate = 0, inByteRate = 0, outByteRate = 0 } = traffic ?? {};
  return { connectionRate, inByteRate, outByteRate };
}

export function topText(document: ServicesDocument, lines: number): string {
  const { kind, why } = document.dataPlane;
  const rows = topRows(document);
  const shown = rows.slice(0, lines);
  const width = Math.max(12, ...shown.map(({ name }) => name.length)) + 2;
  const counts = kind === 'ipvs' ? '' : `; ${kind} counts nothing`;
  const head = `${'SERVICE / SERVER'.padEnd(width)}${'CONN/S'.padStart(8)}${'ACTIVE'.padStart(9)}${'IN/S'.padStart(10)}${'OUT/S'.padStart(10)}  STATE`;
  return [
    `by ${kind} (${why})${counts}`,
    head,
    ...shown.map(
      ({ name, connectionRate, active, inByteRate, outByteRate, state }) =>
        name.padEnd(width) +
        String(connectionRate).padStart(8) +
        String(active).padStart(9) +
        bytesText(inByteRate).padStart(10) +
        bytesText(outByteRate).padStart(10) +
        `  ${state}`,
    ),
    ...(rows.length > shown.length ? [`and ${rows.length - shown.length} more`] : []),
  ].join('\n');
}
