/**
 * `piranha events`: what happened on both nodes, in order; `--follow` goes on as it happens.
 *
 * Read back from GET /v1/events/recent, followed over GET /v1/events (server-sent events), which is resumed at the last
 * record after a break. The two nodes are put in order by their wall clocks; what a reader missed is told as a gap.
 * A partner that cannot be asked is said once, on standard error, and does not keep the rest from being shown.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../base/index.ts';
import { type EventRecord, sinceOf } from '../director/index.ts';
import { askDirector, directoryOf, silenceText, titleOf, type WhichNode } from './ask-director.ts';
import { followStream } from './follow-stream.ts';
import { EVENTS } from './look-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { plainEvent } from './plain.ts';
import { parseTime } from './span.ts';
import { misuse, withOptions } from './verb.ts';

const UNKNOWN = 3;
const AGAIN_MS = 1000;
const MOST = 1000;

export const eventsCommand = withOptions('events', EVENTS, async ({ flags, values }) => {
  const nodes = nodesOf(values.get('node'));
  if (nodes === undefined) return misuse('events', '--node is own, partner or both');
  const limit = Number(values.get('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    return misuse('events', `--limit takes a whole number from 1 to ${MOST}`);
  const since = sinceWord(values.get('since'));
  if (!since.ok) return misuse('events', since.error);
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const print = (event: EventRecord): void => {
    const toText = flags.has('plain') ? plainEvent : eventText;
    process.stdout.write(`${flags.has('json') ? JSON.stringify(event) : toText(event)}\n`);
  };
  const asked = await Promise.all(
    nodes.map(async (node) => ({
      node,
      events: await recentEvents(path, node, limit, since.value),
    })),
  );
  const isOptional = (node: WhichNode): boolean => node === 'partner' && nodes.length > 1;
  const silent = asked.flatMap(({ node, events }) =>
    events.ok ? [] : [{ node, why: events.error }],
  );
  for (const { why } of silent) process.stderr.write(`piranha events: ${why}\n`);
  const found = merged(asked.map(({ events }) => (events.ok ? events.value : [])));
  for (const event of found.slice(-limit)) print(event);
  if (silent.some(({ node }) => !isOptional(node)) && !flags.has('follow')) return UNKNOWN;
  if (!flags.has('follow')) return 0;
  await Promise.all(
    asked
      .filter(({ node, events }) => events.ok || !isOptional(node))
      .map(({ node, events }) =>
        followNode(path, node, events.ok ? events.value.at(-1)?.id : undefined, print),
      ),
  );
  return 0;
});

/** Undefined: none of the three words. */
export function nodesOf(word = 'both'): readonly WhichNode[] | undefined {
  if (word === 'both') return ['own', 'partner'];
  return word === 'own' || word === 'partner' ? [word] : undefined;
}

/** `--since` as the director takes it: an id as it is, a time ago or a local time as a moment. The error is a sentence. */
export function sinceWord(
  text: string | undefined,
  nowMs = Date.now(),
): Result<string | undefined, string> {
  if (text === undefined || sinceOf(text) !== undefined) return ok(text);
  const agoMs = parseTime(text);
  const from = agoMs === undefined ? Date.parse(text) : nowMs - agoMs;
  const isMoment = agoMs !== undefined || /^\d{4}-\d\d-\d\d/.test(text);
  if (isMoment && !Number.isNaN(from)) return ok(new Date(from).toISOString());
  return err('--since takes 90s, 10m, 2h, an ISO 8601 moment, or the id of an event');
}

/** By their wall clocks; records of one node keep their order. */
export function merged(lists: readonly (readonly EventRecord[])[]): readonly EventRecord[] {
  return lists
    .flat()
    .map((event) => ({ event, at: Date.parse(event.at) }))
    .sort((a, b) => a.at - b.at)
    .map(({ event }) => event);
}

/** The error is a sentence. */
export async function recentEvents(
  path: string,
  node: WhichNode,
  limit: number,
  since?: string,
): Promise<Result<readonly EventRecord[], string>> {
  const from = since === undefined ? '' : `&since=${encodeURIComponent(since)}`;
  const where = `/v1/events/recent?limit=${limit}${from}`;
  const answer = await askDirector(directoryOf(path, node), where);
  if (!answer.ok) return err(silenceText(answer.error, node));
  const { code, document } = answer.value;
  if (code !== 200) return err(titleOf(answer.value));
  const events: unknown = new Map<string, unknown>(Object.entries(document)).get('events');
  return Array.isArray(events) ? ok(events.filter(isEvent)) : err('an answer of another version');
}

function isEvent(value: unknown): value is EventRecord {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && 'at' in value && 'kind' in value && 'text' in value;
}

/** `2026-11-22T21:00:04.120Z  backup   role     active (partner-silent)`. */
export function eventText({ at, node, kind, text }: EventRecord): string {
  return `${at}  ${node.padEnd(7)}  ${kind.padEnd(8)}  ${text}`;
}

/** For ever: a stream that ends is taken up again at the last record. */
async function followNode(
  path: string,
  node: WhichNode,
  after: string | undefined,
  print: (event: EventRecord) => void,
): Promise<never> {
  let last = after;
  let isTold = false;
  for (;;) {
    const where = last === undefined ? '/v1/events' : `/v1/events?since=${last}`;
    const onData = (data: string): void => {
      const event: unknown = JSON.parse(data);
      if (!isEvent(event)) return;
      last = event.id;
      isTold = false;
      print(event);
    };
    const why = await followStream(directoryOf(path, node), where, { onData });
    if (!isTold) process.stderr.write(`piranha events: ${why}; trying again every second\n`);
    isTold = true;
    await sleep(AGAIN_MS);
  }
}
