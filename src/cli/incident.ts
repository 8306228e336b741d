/**
 * `piranha incident`: the recorded incidents of both nodes; `piranha incident ID` opens one.
 *
 * The recording of the other node that belongs to it is the one written next to it in time; the two are played again and
 * told as one story, their clocks brought together by the heartbeats themselves (src/sim/story.ts). Without a partner to ask
 * it is the story of one node, and says so.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { IncidentRow } from '../director/index.ts';
import {
  drawTrace,
  parseRecording,
  type Replay,
  replay,
  type Story,
  tellStory,
} from '../sim/index.ts';
import {
  askDirector,
  askText,
  directoryOf,
  silenceText,
  titleOf,
  type WhichNode,
} from './ask-director.ts';
import { nodesOf } from './events.ts';
import { INCIDENT } from './look-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { plainIncidents } from './plain.ts';
import { unknown } from './services.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

const UNKNOWN = 3;
/** Both nodes write five seconds after their own last change of role. */
const TOGETHER_MS: Milliseconds = 15_000;
const TEXT_LIMIT_MS: Milliseconds = 5000;

type Listed = IncidentRow & { readonly of: WhichNode };

export const incidentCommand = withOptions(
  'incident',
  INCIDENT,
  async ({ flags, values, rest: [id, ...more] }) => {
    if (more.length > 0) return misuse('incident', `unexpected argument ${more[0]}`);
    const nodes = nodesOf(values.get('node'));
    if (nodes === undefined) return misuse('incident', '--node is own, partner or both');
    const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
    const lists = await Promise.all(nodes.map((node) => listIncidents(path, node)));
    const silent = lists.flatMap((list) => (list.ok ? [] : [list.error]));
    const all = lists.flatMap((list) => (list.ok ? list.value : []));
    if (silent.length === lists.length) {
      if (flags.has('json')) sayJson(unknown(silent[0] ?? ''));
      else complain(silent[0] ?? '', UNKNOWN);
      return UNKNOWN;
    }
    if (flags.has('ids')) {
      say(all.map((incident) => incident.id).join('\n'));
      return 0;
    }
    for (const why of silent) process.stderr.write(`piranha incident: ${why}\n`);
    if (id !== undefined) return open(path, id, all, flags);
    const sorted = [...all].sort((a, b) => b.at.localeCompare(a.at));
    if (flags.has('json')) sayJson({ v: 1, incidents: sorted });
    else if (flags.has('plain')) say(plainIncidents(sorted));
    else say(listText(sorted));
    return 0;
  },
  true,
);

async function open(
  path: string,
  id: string,
  all: readonly Listed[],
  flags: ReadonlySet<keyof typeof INCIDENT>,
): Promise<number> {
  const chosen = all.find((incident) => incident.id === id);
  if (chosen === undefined) return complain(`there is no incident ${id}`, 1);
  const other = counterpart(chosen, all);
  const halves = await Promise.all(
    [chosen, ...(other === undefined ? [] : [other])].map((half) => textOf(path, half)),
  );
  const [first] = halves;
  if (first === undefined || !first.ok) return complain(first?.error ?? '', 1);
  if (flags.has('raw')) {
    say(first.value);
    return 0;
  }
  const replays = halves.flatMap((half) => (half.ok ? [replayOf(half.value)] : []));
  const played = replays.flatMap((result) => (result.ok ? [result.value] : []));
  for (const result of replays) if (!result.ok) complain(result.error, 1);
  if (played.length === 0) return 1;
  const story = tellStory(played);
  if (flags.has('json')) sayJson({ v: 1, id, nodes: played.map(({ node }) => node), story });
  else if (flags.has('diagram')) say(`${story.clocks}\n\n${drawTrace(story.trace)}`);
  else {
    const lines = [...played.map(judgedText), '', ...rolesText(story)];
    say([headText(chosen, other), story.clocks, ...lines].join('\n'));
  }
  return 0;
}

/** The other node's recording of the same time: the nearest, and near enough. */
export function counterpart<Row extends Pick<IncidentRow, 'at' | 'node'>>(
  chosen: Row,
  all: readonly Row[],
): Row | undefined {
  const distance = ({ at }: Row): number => Math.abs(Date.parse(at) - Date.parse(chosen.at));
  return all
    .filter((row) => row.node !== chosen.node && distance(row) <= TOGETHER_MS)
    .sort((a, b) => distance(a) - distance(b))[0];
}

async function listIncidents(
  path: string,
  node: WhichNode,
): Promise<Result<readonly Listed[], string>> {
  const answer = await askDirector(directoryOf(path, node), '/v1/incidents');
  if (!answer.ok) return err(silenceText(answer.error, node));
  const { code, document } = answer.value;
  if (code !== 200) return err(titleOf(answer.value));
  const rows: unknown = new Map<string, unknown>(Object.entries(document)).get('incidents');
  if (!Array.isArray(rows)) return err('an answer of another version');
  return ok(rows.filter(isRow).map((row) => ({ ...row, of: node })));
}

function isRow(value: unknown): value is IncidentRow {
  return typeof value === 'object' && value !== null && 'id' in value && 'roles' in value;
}

async function textOf(path: string, { of, id }: Listed): Promise<Result<string, string>> {
  const answer = await askText(
    directoryOf(path, of),
    `/v1/incidents/${id}`,
    undefined,
    TEXT_LIMIT_MS,
  );
  if (!answer.ok) return err(silenceText(answer.error, of));
  return answer.value.code === 200
    ? ok(answer.value.text)
    : err(`recording ${id} is there no more (${answer.value.code})`);
}

function replayOf(text: string): Result<Replay, string> {
  try {
    const recording = parseRecording(text);
    return typeof recording === 'string' ? err(recording) : ok(replay(recording));
  } catch (error) {
    return err(`cannot be replayed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function listText(incidents: readonly Listed[]): string {
  if (incidents.length === 0) return 'no incident is recorded';
  return incidents
    .map(({ id, node, roles }) => {
      const words = roles.map(({ to, reason }) => `${to} (${reason})`);
      return `${id.padEnd(20)} ${node.padEnd(8)} ${words.join(', ')}`;
    })
    .join('\n');
}

function headText(chosen: Listed, other: Listed | undefined): string {
  return other === undefined
    ? `incident ${chosen.id} of the ${chosen.node}, alone`
    : `incident ${chosen.id} of the ${chosen.node}, with ${other.id} of the ${other.node}`;
}

/** The changes of role of both nodes on one clock. */
function rolesText({ trace }: Story): readonly string[] {
  return trace.flatMap((event) =>
    event.kind === 'role'
      ? [
          `  ${(event.at / 1000).toFixed(3).padStart(9)} s  ${event.node.padEnd(8)} ${event.to} (${event.reason})`,
        ]
      : [],
  );
}

function judgedText({ node, differences, steps }: Replay): string {
  const same = differences.length === 0 ? 'the core does what it did' : 'THE CORE DIFFERS';
  return `${node}: ${steps} steps, ${same}`;
}

function complain(why: string, exitCode: number): number {
  process.stderr.write(`piranha incident: ${why}\n`);
  return exitCode;
}
