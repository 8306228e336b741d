/**
 * `piranha server drain|disable|enable|undrain|force-up NAME... [--for 30m]`: an operator's word about real servers. NAME is
 * a server (in every service that lists it) or `service/server`. It outlives reloads and restarts until it is lifted
 * or its time is over. `piranha drain NAME...` is the one of them that is wanted in a hurry.
 */
import { runDirectory } from '../director/index.ts';
import { askDirector, titleOf } from './ask-director.ts';
import type { Options } from './options.ts';
import { DEFAULT_RUN_DIRECTORY, SERVER } from './options-of-verbs.ts';
import { parseTime } from './span.ts';
import { misuse, sayJson, withOptions } from './verb.ts';

type Words = Options<keyof typeof SERVER>;

const ORDERS: ReadonlyMap<string, { readonly kind: string; readonly about: string }> = new Map([
  ['drain', { kind: 'drain', about: 'weight 0: its connections finish, it gets no new ones' }],
  ['disable', { kind: 'disable', about: 'out of the table: its connections are cut' }],
  ['force-up', { kind: 'force-up', about: 'in service whatever its checks say' }],
  ['undrain', { kind: 'lift', about: 'its checks decide again' }],
  ['enable', { kind: 'lift', about: 'the same' }],
]);

export const serverCommand = withOptions(
  'server',
  SERVER,
  (words) => {
    const [word = '', ...targets] = words.rest;
    return order('server', word, targets, words);
  },
  true,
);

export const drainCommand = withOptions(
  'drain',
  SERVER,
  (words) => order('drain', 'drain', words.rest, words),
  true,
);

async function order(
  verb: string,
  word: string,
  targets: readonly string[],
  { flags, values }: Words,
): Promise<number> {
  const found = ORDERS.get(word);
  if (found === undefined) return misuse(verb, `one of ${[...ORDERS.keys()].join(', ')} is wanted`);
  if (targets.length === 0) return misuse(verb, `${word} whom? name a server, or service/server`);
  const time = values.get('forTime');
  const forMs = time === undefined ? undefined : parseTime(time);
  if (time !== undefined && forMs === undefined)
    return misuse(verb, '--for takes 1s to 24h: 90s, 30m, 2h');
  if (forMs !== undefined && found.kind === 'lift') return misuse(verb, `${word} takes no --for`);
  const directory = runDirectory(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY);
  const results: { readonly target: string; readonly refused?: string }[] = [];
  for (const target of targets) {
    const body = { target, kind: found.kind, ...(forMs !== undefined && { forMs }) };
    const answer = await askDirector(directory, '/v1/servers', body);
    const refused = answer.ok
      ? answer.value.code === 200
        ? undefined
        : titleOf(answer.value)
      : `the director does not answer (${answer.error})`;
    results.push({ target, ...(refused !== undefined && { refused }) });
    if (flags.has('json')) continue;
    const length = time === undefined ? '' : `, for ${time}`;
    if (refused === undefined) process.stdout.write(`${target}: ${found.about}${length}\n`);
    else process.stderr.write(`refused: ${refused}\n`);
  }
  if (flags.has('json')) sayJson({ v: 1, order: word, results });
  return results.every(({ refused }) => refused === undefined) ? 0 : 1;
}
