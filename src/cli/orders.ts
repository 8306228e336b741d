/**
 * `piranha takeover`, `piranha resign [--for 10m]`, `piranha maintenance on|off`: orders to the director of this machine, with
 * `--node partner` to the other one. Refused with the reason (exit 1) where they would leave no owner; otherwise followed
 * to the end, each step with its milliseconds, in the words of the director that has the order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { OperatorOrder } from '../core/index.ts';
import type { OrderReport } from '../director/index.ts';
import { ORDER, RESIGN } from './act-verbs.ts';
import {
  askDirector,
  directoryOf,
  type NodeDirectory,
  refusalText,
  silenceText,
  type WhichNode,
} from './ask-director.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { parseTime } from './span.ts';
import { nodeOf } from './status.ts';
import { misuse, sayJson, withOptions } from './verb.ts';

/** The director gives up after 10 s. */
const LIMIT_MS: Milliseconds = 12_000;
/** Each look at the partner is a connection of its own through the channel, which takes so many a second. */
const LOOK_MS: { readonly [node in WhichNode]: Milliseconds } = { own: 50, partner: 250 };

type Words = {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
};

export const takeoverCommand = withOptions('takeover', ORDER, (words) =>
  order('takeover', 'takeover', words),
);

export const maintenanceCommand = withOptions(
  'maintenance',
  ORDER,
  async (words) => {
    const [word, ...more] = words.rest;
    if ((word !== 'on' && word !== 'off') || more.length > 0)
      return misuse('maintenance', 'on or off?');
    return order('maintenance', `maintenance-${word}`, words);
  },
  true,
);

export const resignCommand = withOptions('resign', RESIGN, async (words) => {
  const forMs = parseTime(words.values.get('forTime') ?? '1m');
  if (forMs === undefined) return misuse('resign', '--for takes 1s to 24h: 90s, 10m, 2h');
  return order('resign', 'resign', words, forMs);
});

async function order(
  verb: string,
  name: OperatorOrder,
  { flags, values }: Words,
  forMs?: Milliseconds,
): Promise<number> {
  const node = nodeOf(values.get('node'));
  if (node === undefined) return misuse(verb, '--node is own or partner');
  const isJson = flags.has('json');
  const directory = directoryOf(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY, node);
  const outcome = await followOrder(directory, name, forMs, (step) => {
    if (!isJson) process.stdout.write(`${stepText(step, node)}\n`);
  });
  if (isJson) sayJson({ v: 1, node, ...(outcome.ok ? outcome.value : { refused: outcome.error }) });
  else if (!outcome.ok) process.stderr.write(`refused: ${outcome.error}\n`);
  return outcome.ok && outcome.value.state === 'done' ? 0 : 1;
}

type Step = OrderReport['steps'][number];

export function stepText({ text, afterMs }: Step, node: WhichNode = 'own'): string {
  const who = node === 'own' ? '' : 'partner: ';
  return `${afterMs.toFixed(1).padStart(9)} ms  ${who}${text}`;
}

/** Gives an order and follows it to its end; the error is the sentence of the refusal. */
export async function followOrder(
  directory: NodeDirectory,
  name: OperatorOrder,
  forMs: Milliseconds | undefined,
  tell: (step: Step) => void,
): Promise<Result<OrderReport, string>> {
  const body = { order: name, ...(forMs !== undefined && { forMs }) };
  const { node } = directory;
  let report = reportOf(await askDirector(directory, '/v1/role', body), node);
  let shown = 0;
  for (const limit = performance.now() + LIMIT_MS; performance.now() < limit; ) {
    if (!report.ok) return report;
    for (const step of report.value.steps.slice(shown)) tell(step);
    shown = report.value.steps.length;
    if (report.value.state !== 'working') return report;
    await sleep(LOOK_MS[node]);
    report = reportOf(await askDirector(directory, '/v1/role'), node);
  }
  return err('the director does not come to an end with it');
}

function reportOf(
  answer: Awaited<ReturnType<typeof askDirector>>,
  node: WhichNode,
): Result<OrderReport, string> {
  if (!answer.ok) return err(silenceText(answer.error, node));
  const { code, document } = answer.value;
  if (code !== 200) return err(refusalText(answer.value, node));
  return isReport(document) ? ok(document) : err('an answer of another version');
}

function isReport(document: object): document is OrderReport {
  return 'state' in document && 'steps' in document && Array.isArray(document.steps);
}
