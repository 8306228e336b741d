/**
 * `piranha server drain|disable|enable|undrain|force-up NAME... [--for 30m]`, `piranha weight NAME... N`: an operator's word
 * about real servers. NAME is a server (in every service that lists it) or `service/server`. It outlives reloads and
 * restarts until it is lifted or its time is over. `piranha drain` and `undrain` are those that are wanted in a hurry.
 *
 * Both nodes are told unless one is named, because a takeover must not give a drained server its clients back. A partner
 * that cannot be reached is said once, on standard error, and does not keep this node from being told.
 */
import { MAX_WEIGHT } from '../core/index.ts';
import { SERVER, UNDRAIN } from './act-verbs.ts';
import {
  askDirector,
  type DirectorAnswer,
  directoryOf,
  refusalText,
  silenceText,
  type WhichNode,
} from './ask-director.ts';
import { nodesOf } from './events.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { parseTime } from './span.ts';
import { isStatus } from './status.ts';
import { misuse, sayJson, withOptions } from './verb.ts';

type Words = {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
};
/** What is posted, beside target and time. */
type Wish = { readonly kind: string; readonly weight?: number };
/** How it is spoken of. */
type Told = { readonly word: string; readonly about: string; readonly targets: readonly string[] };
type Result = { readonly target: string; readonly node: WhichNode; readonly refused?: string };

const ORDERS: ReadonlyMap<string, { readonly kind: string; readonly about: string }> = new Map([
  ['drain', { kind: 'drain', about: 'weight 0: its connections finish, it gets no new ones' }],
  ['disable', { kind: 'disable', about: 'out of the table: its connections are cut' }],
  ['force-up', { kind: 'force-up', about: 'in service whatever its checks say' }],
  ['undrain', { kind: 'lift', about: 'lvs.cf and its checks decide again' }],
  ['enable', { kind: 'lift', about: 'the same' }],
]);

export const serverCommand = withOptions(
  'server',
  SERVER,
  (words) => {
    const [word = '', ...targets] = words.rest;
    return named('server', word, targets, words);
  },
  true,
);

export const drainCommand = withOptions(
  'drain',
  SERVER,
  (words) => named('drain', 'drain', words.rest, words),
  true,
);

export const undrainCommand = withOptions(
  'undrain',
  UNDRAIN,
  (words) => named('undrain', 'undrain', words.rest, words),
  true,
);

export const weightCommand = withOptions(
  'weight',
  SERVER,
  async (words) => {
    const number = words.rest.at(-1) ?? '';
    const targets = words.rest.slice(0, -1);
    const weight = /^\d{1,5}$/.test(number) ? Number(number) : MAX_WEIGHT + 1;
    if (targets.length === 0 || weight > MAX_WEIGHT) {
      return misuse('weight', `NAME... and then a number from 0 to ${MAX_WEIGHT} are wanted`);
    }
    const about = `weight ${weight} in place of the one in lvs.cf`;
    return order('weight', { kind: 'weight', weight }, { word: 'weight', about, targets }, words);
  },
  true,
);

async function named(
  verb: string,
  word: string,
  targets: readonly string[],
  words: Words,
): Promise<number> {
  const found = ORDERS.get(word);
  if (found === undefined) return misuse(verb, `one of ${[...ORDERS.keys()].join(', ')} is wanted`);
  if (targets.length === 0) return misuse(verb, `${word} whom? name a server, or service/server`);
  const { kind, about } = found;
  return order(verb, { kind }, { word, about, targets }, words);
}

async function order(
  verb: string,
  wish: Wish,
  { word, about, targets }: Told,
  { flags, values }: Words,
): Promise<number> {
  const time = values.get('forTime');
  const forMs = time === undefined ? undefined : parseTime(time);
  if (time !== undefined && forMs === undefined)
    return misuse(verb, '--for takes 1s to 24h: 90s, 30m, 2h');
  if (forMs !== undefined && wish.kind === 'lift') return misuse(verb, `${word} takes no --for`);
  const nodes = nodesOf(values.get('node'));
  if (nodes === undefined) return misuse(verb, '--node is own, partner or both');
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const body = { ...wish, ...(forMs !== undefined && { forMs }) };
  const orders = nodes.flatMap((node) => targets.map((target) => ({ node, target })));
  const results: Result[] = [];
  let silence: string | undefined;
  for (const { node, target } of orders) {
    const answer = await askDirector(directoryOf(path, node), '/v1/servers', { target, ...body });
    if (!answer.ok && node === 'partner' && values.get('node') === undefined) {
      silence = (await isAlone(path)) ? undefined : silenceText(answer.error, node);
      break;
    }
    const refused = answer.ok ? refusalOf(answer.value, node) : silenceText(answer.error, node);
    results.push({ target, node, ...(refused !== undefined && { refused }) });
  }
  if (flags.has('json')) {
    sayJson({ v: 1, order: word, ...body, results, ...(silence !== undefined && { silence }) });
  } else {
    const length = time === undefined ? '' : `, for ${time}`;
    for (const result of results) sayResult(result, `${about}${length}`);
    if (silence !== undefined) process.stderr.write(`on this node only: ${silence}\n`);
  }
  return results.every(({ refused }) => refused === undefined) ? 0 : 1;
}

function refusalOf(answer: DirectorAnswer, node: WhichNode): string | undefined {
  return answer.code === 200 ? undefined : refusalText(answer, node);
}

function sayResult({ target, node, refused }: Result, about: string): void {
  if (refused !== undefined) process.stderr.write(`refused: ${refused}\n`);
  else process.stdout.write(`${node === 'own' ? '' : 'partner: '}${target}: ${about}\n`);
}

/** Has this director no partner to be told? */
async function isAlone(path: string): Promise<boolean> {
  const status = await askDirector(directoryOf(path), '/v1/status');
  return (
    status.ok && isStatus(status.value.document) && status.value.document.partner.state === 'none'
  );
}
