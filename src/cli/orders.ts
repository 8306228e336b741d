/**
 * `piranha takeover`, `piranha resign [--for 10m]`, `piranha maintenance on|off`: orders to the director of this machine.
 * Refused with the reason (exit 1) where they would leave no owner; otherwise followed to the end, each step with its
 * milliseconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { OperatorOrder } from '../core/index.ts';
import { DEFAULT_RUN_DIRECTORY, type OrderReport, runDirectory } from '../director/index.ts';
import { askDirector } from './ask-director.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { type Command, USAGE } from './verb.ts';

const RUN_DIRECTORY = {
  long: ['--run-dir'],
  value: 'DIR',
  help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
} as const satisfies OptionSpec;
const HELP = { short: '-?', long: ['--help'], help: 'this text' } as const satisfies OptionSpec;
const PLAIN = { runDirectory: RUN_DIRECTORY, help: HELP } as const;
const WITH_TIME = {
  forTime: {
    long: ['--for'],
    value: 'TIME',
    help: 'not to take over again for so long: 90s, 10m, 2h (1m)',
  },
  ...PLAIN,
} as const;

/** The director gives up after 10 s. */
const LIMIT_MS: Milliseconds = 12_000;
const LOOK_MS: Milliseconds = 50;

export const takeoverCommand: Command = async (argv) => {
  const parsed = readOptions(argv, PLAIN);
  if (!parsed.ok || parsed.value.rest.length > 0) return misused('takeover', parsed);
  const { flags, values } = parsed.value;
  if (flags.has('help')) return help('takeover', optionsHelp(PLAIN));
  return order('takeover', values.get('runDirectory'));
};

export const maintenanceCommand: Command = async (argv) => {
  const parsed = readOptions(argv, PLAIN);
  if (!parsed.ok) return misused('maintenance', parsed);
  const { flags, values, rest } = parsed.value;
  if (flags.has('help')) return help('maintenance on|off', optionsHelp(PLAIN));
  const [word, ...more] = rest;
  if ((word !== 'on' && word !== 'off') || more.length > 0) {
    process.stderr.write('piranha maintenance: on or off?\n');
    return USAGE;
  }
  return order(`maintenance-${word}`, values.get('runDirectory'));
};

export const resignCommand: Command = async (argv) => {
  const parsed = readOptions(argv, WITH_TIME);
  if (!parsed.ok || parsed.value.rest.length > 0) return misused('resign', parsed);
  const { flags, values } = parsed.value;
  if (flags.has('help')) return help('resign', optionsHelp(WITH_TIME));
  const forMs = parseTime(values.get('forTime') ?? '1m');
  if (forMs === undefined) {
    process.stderr.write('piranha resign: --for takes 1s to 24h: 90s, 10m, 2h\n');
    return USAGE;
  }
  return order('resign', values.get('runDirectory'), forMs);
};

function misused(
  verb: string,
  parsed: Result<{ readonly rest: readonly string[] }, string>,
): number {
  const why = parsed.ok ? `unexpected argument ${parsed.value.rest[0]}` : parsed.error;
  process.stderr.write(`piranha ${verb}: ${why}; try piranha ${verb} --help\n`);
  return USAGE;
}

function help(verb: string, options: string): number {
  process.stdout.write(`Usage: piranha ${verb} [OPTION...]\n\n${options}\n`);
  return 0;
}

/** `90s`, `10m`, `2h` in milliseconds, 1 second to a day; undefined for anything else. */
export function parseTime(text: string): Milliseconds | undefined {
  const [, number, unit] = /^(\d{1,5})([smh])$/.exec(text) ?? [];
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? 0;
  const ms = Number(number) * unitMs;
  return ms >= 1000 && ms <= 24 * 3_600_000 ? ms : undefined;
}

async function order(name: OperatorOrder, where?: string, forMs?: number): Promise<number> {
  const directory = runDirectory(where ?? DEFAULT_RUN_DIRECTORY);
  const body = { order: name, ...(forMs !== undefined && { forMs }) };
  const given = reportOf(await askDirector(directory, '/v1/role', body));
  if (!given.ok) return refused(given.error);
  let shown = 0;
  let report = given.value;
  for (const limit = performance.now() + LIMIT_MS; performance.now() < limit; ) {
    for (const { text, afterMs } of report.steps.slice(shown)) {
      process.stdout.write(`${afterMs.toFixed(1).padStart(9)} ms  ${text}\n`);
    }
    shown = report.steps.length;
    if (report.state !== 'working') return report.state === 'done' ? 0 : 1;
    await sleep(LOOK_MS);
    const next = reportOf(await askDirector(directory, '/v1/role'));
    if (!next.ok) return refused(next.error);
    report = next.value;
  }
  return refused('the director does not come to an end with it');
}

function refused(why: string): number {
  process.stderr.write(`refused: ${why}\n`);
  return 1;
}

function reportOf(answer: Awaited<ReturnType<typeof askDirector>>): Result<OrderReport, string> {
  if (!answer.ok) return err(`the director does not answer (${answer.error})`);
  const { code, document } = answer.value;
  const fields = new Map(Object.entries(document));
  if (code !== 200) return err(String(fields.get('title') ?? code));
  return isReport(document) ? ok(document) : err('an answer of another version');
}

function isReport(document: object): document is OrderReport {
  return 'state' in document && 'steps' in document && Array.isArray(document.steps);
}
