/**
 * `piranha server drain|disable|enable|undrain|force-up NAME... [--for 30m]`: an operator's word about real servers. NAME is
 * a server (in every service that lists it) or `service/server`. It outlives reloads and restarts until it is lifted
 * or its time is over.
 */
import { DEFAULT_RUN_DIRECTORY, runDirectory } from '../director/index.ts';
import { askDirector } from './ask-director.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { parseTime } from './orders.ts';
import { USAGE } from './verb.ts';

const OPTIONS = {
  forTime: { long: ['--for'], value: 'TIME', help: 'lifted by itself after so long: 90s, 30m, 2h' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
  },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

const ORDERS: ReadonlyMap<string, { readonly kind: string; readonly about: string }> = new Map([
  ['drain', { kind: 'drain', about: 'weight 0: its connections finish, it gets no new ones' }],
  ['disable', { kind: 'disable', about: 'out of the table: its connections are cut' }],
  ['force-up', { kind: 'force-up', about: 'in service whatever its checks say' }],
  ['undrain', { kind: 'lift', about: 'its checks decide again' }],
  ['enable', { kind: 'lift', about: 'the same' }],
]);

export async function serverCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok) return misused(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('help')) {
    process.stdout.write(`${help()}\n`);
    return 0;
  }
  const [word = '', ...targets] = rest;
  const order = ORDERS.get(word);
  if (order === undefined) return misused(`one of ${[...ORDERS.keys()].join(', ')} is wanted`);
  if (targets.length === 0) return misused(`${word} whom? name a server, or service/server`);
  const time = values.get('forTime');
  const forMs = time === undefined ? undefined : parseTime(time);
  if (time !== undefined && forMs === undefined)
    return misused('--for takes 1s to 24h: 90s, 30m, 2h');
  if (forMs !== undefined && order.kind === 'lift') return misused(`${word} takes no --for`);
  const directory = runDirectory(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY);
  let status = 0;
  for (const target of targets) {
    const body = { target, kind: order.kind, ...(forMs !== undefined && { forMs }) };
    const answer = await askDirector(directory, '/v1/servers', body);
    const isDone = answer.ok && answer.value.code === 200;
    if (isDone)
      process.stdout.write(
        `${target}: ${order.about}${time === undefined ? '' : `, for ${time}`}\n`,
      );
    else {
      status = 1;
      const why = answer.ok
        ? String(new Map(Object.entries(answer.value.document)).get('title'))
        : `the director does not answer (${answer.error})`;
      process.stderr.write(`refused: ${why}\n`);
    }
  }
  return status;
}

function help(): string {
  const rows = Array.from(ORDERS, ([word, { about }]) => `  ${word.padEnd(10)}${about}`);
  return [
    'Usage: piranha server ORDER NAME... [OPTION...]',
    '',
    ...rows,
    '',
    optionsHelp(OPTIONS),
  ].join('\n');
}

function misused(why: string): number {
  process.stderr.write(`piranha server: ${why}; try piranha server --help\n`);
  return USAGE;
}
