/**
 * `piranha prove`: a planned takeover on the real pair, there and back, with the evidence on one page.
 *
 * Preflight first: everything that a planned move rests on, each condition with what was found; one that does not hold
 * refuses the drill in a sentence. Then two orders, as an operator would give them (takeover and resign), each followed to
 * its end with the milliseconds of its steps and the word of every witness. A leg that fails ends the drill where it is,
 * and the page says where the VIPs are. What is measured is the planned move; freezes and cut cables belong to the lab.
 *
 * Exit code: 0 proved, 1 refused or not proved, 3 the director does not answer.
 */
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Milliseconds } from '../base/index.ts';
import type { OrderReport, StatusDocument } from '../director/index.ts';
import { PROVE } from './act-verbs.ts';
import { directoryOf } from './ask-director.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { followOrder, stepText } from './orders.ts';
import { isStatus, statusOf } from './status.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';
import { versionNumber } from './version-text.ts';

const UNKNOWN = 3;
const SETTLE_LIMIT_MS: Milliseconds = 20_000;
const LOOK_MS: Milliseconds = 100;
/** The one that gave the VIPs away is of use again so soon: a drill leaves no pair without a successor. */
const ASIDE_MS: Milliseconds = 1000;

export type Condition = {
  readonly name: string;
  readonly isMet: boolean;
  /** What was found. */
  readonly found: string;
};

type Leg = {
  readonly order: 'takeover' | 'resign';
  readonly owner: string;
  readonly isDone: boolean;
  readonly tookMs: Milliseconds;
  readonly steps: OrderReport['steps'];
  /** Who was seen to send which VIP to the new owner, by the new owner's word. */
  readonly witnesses: readonly { readonly vip: string; readonly said: string }[];
  readonly refusal?: string;
};

export type Proof = {
  readonly v: 1;
  readonly isProved: boolean;
  readonly verdict: string;
  readonly at: string;
  readonly version: string;
  readonly node: string;
  readonly serialNo: number;
  readonly vips: readonly string[];
  readonly conditions: readonly Condition[];
  readonly legs: readonly Leg[];
};

export const proveCommand = withOptions('prove', PROVE, async ({ flags, values }) => {
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const status = await statusOf(path, 'own', DEFAULT_CONFIG_FILE);
  if (!isStatus(status)) {
    process.stderr.write(`piranha prove: ${status.verdict.text}\n`);
    return UNKNOWN;
  }
  const conditions = preflight(status);
  const tell = (text: string): void => {
    if (!flags.has('json')) say(text);
  };
  tell(conditions.map(conditionText).join('\n'));
  const missing = conditions.find(({ isMet }) => !isMet);
  if (missing !== undefined || flags.has('dryRun')) {
    const verdict =
      missing === undefined ? 'ready for a drill' : `refused: ${missing.name}: ${missing.found}`;
    const proof = proofOf(status, conditions, [], verdict, false);
    if (flags.has('json')) sayJson(proof);
    else if (missing === undefined) say(verdict);
    else process.stderr.write(`${verdict}\n`);
    return missing === undefined ? 0 : 1;
  }
  if (!flags.has('yes')) {
    if (!process.stdin.isTTY || flags.has('json'))
      return misuse('prove', 'it moves VIPs that are in service: --yes is wanted');
    if (!(await isWanted(status))) return 1;
  }
  const legs = await drill(path, status, flags.has('stay'), tell);
  const isProved = legs.every(({ isDone }) => isDone);
  const proof = proofOf(status, conditions, legs, verdictOf(status, legs), isProved);
  if (flags.has('json')) sayJson(proof);
  else say(`\n${proofText(proof)}`);
  return isProved ? 0 : 1;
});

/** Everything that a planned move rests on. */
export function preflight(status: StatusDocument): readonly Condition[] {
  const { role, reason, partner, pair, vips, refusal } = status;
  const words = pair?.partner;
  const up = vips.filter(({ state }) => state === 'up').length;
  const held = role === 'active' ? `${up} of ${vips.length} VIPs up` : `${role} (${reason})`;
  const heard = partner.paths.map(({ name, heardMsAgo }) =>
    heardMsAgo === undefined ? `${name} never` : `${name} ${heardMsAgo} ms ago`,
  );
  return [
    {
      name: 'this director',
      isMet: role === 'active' ? up === vips.length : role === 'standby',
      found: refusal ?? held,
    },
    {
      name: 'partner heard',
      isMet: partner.state === 'heard',
      found: partner.state === 'none' ? 'no partner is configured' : heard.join(', '),
    },
    {
      name: 'partner ready',
      isMet: words?.isEligible === true,
      found:
        words?.isEligible === undefined
          ? 'it does not say (legacy dialect, or not heard yet)'
          : `${words.role}, ${words.isEligible ? 'could take over' : `may not take over (${words.reason})`}`,
    },
    {
      name: 'one is active',
      isMet: (role === 'active') !== (words?.role === 'active'),
      found: `${role} here, ${words?.role ?? 'unknown'} there`,
    },
    {
      name: 'same lvs.cf',
      isMet: words?.hasSameConfiguration === true,
      found: `serial_no ${status.configuration.serialNo} here, ${words?.serialNo ?? 'unknown'} there`,
    },
    { name: 'VIPs', isMet: vips.length > 0, found: vips.map(({ address }) => address).join(', ') },
  ];
}

function conditionText({ name, isMet, found }: Condition): string {
  return `${isMet ? '✓' : '✗'} ${name.padEnd(14)} ${found}`;
}

async function isWanted({ vips }: StatusDocument): Promise<boolean> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  const count = vips.length === 1 ? 'the VIP' : `${vips.length} VIPs`;
  const answer = await reader.question(
    `This moves ${count} to the other node and back. Type yes: `,
  );
  reader.close();
  return answer.trim() === 'yes';
}

async function drill(
  path: string,
  status: StatusDocument,
  staysThere: boolean,
  tell: (text: string) => void,
): Promise<readonly Leg[]> {
  const isHere = status.role === 'active';
  const orders = isHere ? (['resign', 'takeover'] as const) : (['takeover', 'resign'] as const);
  const legs: Leg[] = [];
  for (const order of staysThere ? orders.slice(0, 1) : orders) {
    const owner = order === 'takeover' ? status.node : other(status.node);
    tell(`\n${order}: the VIPs go to the ${owner}`);
    const leg = await runLeg(path, order, owner, tell);
    legs.push(leg);
    if (!leg.isDone || !(await isSettled(path, order, owner))) break;
  }
  return legs;
}

async function runLeg(
  path: string,
  order: Leg['order'],
  owner: string,
  tell: (text: string) => void,
): Promise<Leg> {
  const forMs = order === 'resign' ? ASIDE_MS : undefined;
  const outcome = await followOrder(directoryOf(path), order, forMs, (step) =>
    tell(stepText(step)),
  );
  if (!outcome.ok) {
    tell(`refused: ${outcome.error}`);
    const nothing = { steps: [], witnesses: [], tookMs: 0 };
    return { order, owner, isDone: false, refusal: outcome.error, ...nothing };
  }
  const { steps, state } = outcome.value;
  const isDone = state === 'done';
  const witnesses = isDone ? await witnessesOf(path, order) : [];
  for (const { vip, said } of witnesses) tell(`              ${vip}: ${said}`);
  return { order, owner, isDone, steps, tookMs: steps.at(-1)?.afterMs ?? 0, witnesses };
}

/** In the new owner's words; a partner that cannot be asked leaves the question open, and it is said. */
async function witnessesOf(path: string, order: Leg['order']): Promise<Leg['witnesses']> {
  const node = order === 'takeover' ? 'own' : 'partner';
  for (const limit = performance.now() + 3000; ; await sleep(LOOK_MS)) {
    const status = await statusOf(path, node, DEFAULT_CONFIG_FILE);
    if (!isStatus(status)) return [{ vip: 'witnesses', said: status.verdict.text }];
    const open = status.vips.some(({ belief }) => belief === undefined);
    const isAsked = status.pair?.witness.isAsked === true;
    if (open && isAsked && performance.now() < limit) continue;
    return status.vips.map(({ address, belief }) => ({
      vip: address,
      said:
        belief?.owner === 'us' && belief.witness !== undefined
          ? `${belief.witness} sends it to the new owner, ${belief.tookMs?.toFixed(1)} ms after the announcement`
          : isAsked
            ? 'no witness has confirmed it'
            : 'nobody is asked (verify = off, or no gateway)',
    }));
  }
}

/** Both have come to rest: one active, the other able to take over. */
async function isSettled(path: string, order: Leg['order'], owner: string): Promise<boolean> {
  for (const limit = performance.now() + SETTLE_LIMIT_MS; performance.now() < limit; ) {
    const status = await statusOf(path, 'own', DEFAULT_CONFIG_FILE);
    if (isStatus(status)) {
      const isOwner = status.node === owner;
      const words = status.pair?.partner;
      const isAtRest =
        order === 'takeover'
          ? isOwner && status.role === 'active' && words?.isEligible === true
          : !isOwner && status.role === 'standby' && words?.role === 'active';
      if (isAtRest) return true;
    }
    await sleep(LOOK_MS);
  }
  return false;
}

function other(node: string): string {
  return node === 'primary' ? 'backup' : 'primary';
}

function verdictOf({ vips }: StatusDocument, legs: readonly Leg[]): string {
  const failed = legs.find(({ isDone }) => !isDone);
  if (failed !== undefined) {
    return `NOT PROVED  the ${failed.order} did not come to its end: ${failed.refusal ?? failed.steps.at(-1)?.text ?? 'no answer'}; piranha status says who owns the VIPs now`;
  }
  const count = vips.length === 1 ? 'the VIP' : `${vips.length} VIPs`;
  const ways = legs.map(({ owner, tookMs }) => `to the ${owner} in ${tookMs.toFixed(1)} ms`);
  return `PROVED  ${count} moved ${ways.join(', and ')}`;
}

function proofOf(
  status: StatusDocument,
  conditions: readonly Condition[],
  legs: readonly Leg[],
  verdict: string,
  isProved: boolean,
): Proof {
  return {
    v: 1,
    isProved,
    verdict,
    at: new Date().toISOString(),
    version: versionNumber(),
    node: status.node,
    serialNo: status.configuration.serialNo,
    vips: status.vips.map(({ address }) => address),
    conditions,
    legs,
  };
}

/** The page to keep. */
export function proofText({ verdict, at, version, node, serialNo, vips, legs }: Proof): string {
  return [
    verdict,
    '',
    `  when       ${at}`,
    `  where      ordered on the ${node}, piranha ${version}, serial_no ${serialNo}`,
    `  what       ${vips.join(', ')}`,
    ...legs.flatMap(({ order, owner, tookMs, witnesses }) => [
      `  ${order.padEnd(9)}  to the ${owner}: ${tookMs.toFixed(1)} ms from the order to its end`,
      ...witnesses.map(({ vip, said }) => `             ${vip}: ${said}`),
    ]),
  ].join('\n');
}
