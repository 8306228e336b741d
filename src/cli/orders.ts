/**
 * `piranha takeover`, `piranha resign [--for 10m]`, `piranha maintenance on|off`: orders to the director of this machine.
 * Refused with the reason (exit 1) where they would leave no owner; otherwise followed to the end, each step with its
 * milliseconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { OperatorOrder } from '../core/index.ts';
import { type OrderReport, type RunDirectory, runDirectory } from '../director/index.ts';
import { askDirector, titleOf } from './ask-director.ts';
import type { Options } from './options.ts';
import { DEFAULT_RUN_DIRECTORY, ORDER, RESIGN } from './options-of-verbs.ts';
import { parseTime } from './span.ts';
import { misuse, sayJson, withOptions } from './verb.ts';

/** The director gives up after 10 s. */
const LIMIT_MS: Milliseconds = 12_000;
const LOOK_MS: Milliseconds = 50;

/** Where to ask, and how to tell. */
type Outlet = { readonly isJson: boolean; readonly runDirectory: string };

function outlet<Name extends string>(words: Options<Name | keyof typeof ORDER>): Outlet {
  const { flags, values } = words;
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  return { isJson: flags.has('json'), runDirectory: path };
}

export const takeoverCommand = withOptions('takeover', ORDER, (words) =>
  order('takeover', outlet(words)),
);

export const maintenanceCommand = withOptions(
  'maintenance',
  ORDER,
  async (words) => {
    const [word, ...more] = words.rest;
    if ((word !== 'on' && word !== 'off') || more.length > 0)
      return misuse('maintenance', 'on or off?');
    return order(`maintenance-${word}`, outlet(words));
  },
  true,
);

export const resignCommand = withOptions('resign', RESIGN, async (words) => {
  const forMs = parseTime(words.values.get('forTime') ?? '1m');
  if (forMs === undefined) return misuse('resign', '--for takes 1s to 24h: 90s, 10m, 2h');
  return order('resign', outlet(words), forMs);
});

async function order(
  name: OperatorOrder,
  { isJson, runDirectory: path }: Outlet,
  forMs?: number,
): Promise<number> {
  const directory = runDirectory(path);
  const outcome = await followOrder(directory, name, forMs, (step) => {
    if (!isJson) process.stdout.write(`${stepText(step)}\n`);
  });
  if (isJson) sayJson({ v: 1, ...(outcome.ok ? outcome.value : { refused: outcome.error }) });
  else if (!outcome.ok) process.stderr.write(`refused: ${outcome.error}\n`);
  return outcome.ok && outcome.value.state === 'done' ? 0 : 1;
}

type Step = OrderReport['steps'][number];

export function stepText({ text, afterMs }: Step): string {
  return `${afterMs.toFixed(1).padStart(9)} ms  ${text}`;
}

/** Gives an order and follows it to its end; the error is the sentence of the refusal. */
export async function followOrder(
  directory: Pick<RunDirectory, 'socket'>,
  name: OperatorOrder,
  forMs: Milliseconds | undefined,
  tell: (step: Step) => void,
): Promise<Result<OrderReport, string>> {
  const body = { order: name, ...(forMs !== undefined && { forMs }) };
  let report = reportOf(await askDirector(directory, '/v1/role', body));
  let shown = 0;
  for (const limit = performance.now() + LIMIT_MS; performance.now() < limit; ) {
    if (!report.ok) return report;
    for (const step of report.value.steps.slice(shown)) tell(step);
    shown = report.value.steps.length;
    if (report.value.state !== 'working') return report;
    await sleep(LOOK_MS);
    report = reportOf(await askDirector(directory, '/v1/role'));
  }
  return err('the director does not come to an end with it');
}

function reportOf(answer: Awaited<ReturnType<typeof askDirector>>): Result<OrderReport, string> {
  if (!answer.ok) return err(`the director does not answer (${answer.error})`);
  const { code, document } = answer.value;
  if (code !== 200) return err(titleOf(answer.value));
  return isReport(document) ? ok(document) : err('an answer of another version');
}

function isReport(document: object): document is OrderReport {
  return 'state' in document && 'steps' in document && Array.isArray(document.steps);
}
