/**
 * `piranha upgrade`: the installed version in place of the one that runs, on this node.
 *
 *   look -> hand over (an active one only) -> the partner owns and is believed -> restart -> healthy again
 *
 * Each step is waited for, and what does not come about ends it there, with the old version still running or the VIPs
 * with the partner: never with nobody. Restarting belongs to systemd; a director that somebody else started is restarted by
 * him, while we wait for it. Rejected: both nodes from one place, for which each would need the right to restart
 * services on the other, and which would upgrade both before anybody has seen one run.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { loadSettings, type StatusDocument } from '../director/index.ts';
import { UPGRADE } from './act-verbs.ts';
import { directoryOf } from './ask-director.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { followOrder, stepText } from './orders.ts';
import { parseTime } from './span.ts';
import { isStatus, statusOf } from './status.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';
import { versionNumber } from './version-text.ts';

const UNKNOWN = 3;
const UNIT = 'piranha.service';
const LOOK_MS: Milliseconds = 100;
/** The partner's witnesses have been asked several times by then. */
const BELIEF_LIMIT_MS: Milliseconds = 20_000;
/** Of a VIP that nobody could say anything about for so long, nobody can. */
const PROOF_MS: Milliseconds = 5000;
/** systemd itself gives up sooner. */
const RESTART_LIMIT_MS: Milliseconds = 180_000;
/** Not to take over again: longer than a restart takes. */
const ASIDE_MS: Milliseconds = 60_000;

type Work = {
  readonly path: string;
  readonly waitMs: Milliseconds;
  readonly tell: (text: string) => void;
};
type Outcome = Result<string, string>;

export const upgradeCommand = withOptions('upgrade', UPGRADE, async ({ flags, values }) => {
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const waitMs = parseTime(values.get('wait') ?? '2m');
  if (waitMs === undefined) return misuse('upgrade', '--wait takes 1s to 24h: 90s, 10m');
  const status = await statusOf(path, 'own', DEFAULT_CONFIG_FILE);
  if (!isStatus(status)) {
    if (flags.has('json')) sayJson({ v: 1, unknown: status.verdict.text });
    else process.stderr.write(`piranha upgrade: ${status.verdict.text}\n`);
    return UNKNOWN;
  }
  const steps: string[] = [];
  const tell = (text: string): void => {
    steps.push(text);
    if (!flags.has('json')) say(text);
  };
  const [from, to] = [runningVersion(status.pid), versionNumber()];
  const isNeeded = from !== to || flags.has('again');
  const done = isNeeded
    ? await replace(status, { path, waitMs, tell }, flags.has('dryRun'))
    : ok(`${to} runs already: nothing to do`);
  const result = done.ok ? { isDone: true, result: done.value } : { refused: done.error };
  const versions = { ...(from !== undefined && { from }), to };
  if (flags.has('json')) sayJson({ v: 1, ...versions, steps, ...result });
  else if (done.ok) say(done.value);
  else process.stderr.write(`piranha upgrade: ${done.error}\n`);
  return done.ok ? 0 : 1;
});

async function replace(status: StatusDocument, work: Work, isDryRun: boolean): Promise<Outcome> {
  const obstacle = whyNot(status);
  if (obstacle !== undefined) return err(`${obstacle}; nothing was touched`);
  const isOwner = status.role === 'active';
  const isSupervised = mainPid() === status.pid;
  const how = isSupervised
    ? `systemctl restart ${UNIT}`
    : `somebody restarts process ${status.pid}`;
  if (isDryRun) return ok(`would ${isOwner ? 'hand over to the partner, then ' : ''}wait: ${how}`);
  if (isOwner) {
    const handed = await handOver(work);
    if (!handed.ok) return handed;
    work.tell(handed.value);
  }
  const restarted = isSupervised ? restart(work) : askForRestart(status.pid, work);
  if (!restarted.ok) return restarted;
  return waitForNew(status.pid, work);
}

/** Why nobody would own the VIPs meanwhile, or the new one not start; undefined: go on. */
export function whyNot({
  role,
  partner,
  pair,
  configuration,
}: Pick<StatusDocument, 'role' | 'partner' | 'pair' | 'configuration'>): string | undefined {
  const judged = loadSettings(configuration.file);
  if (!judged.ok) return `the installed version refuses the file: ${judged.error[0] ?? ''}`;
  if (partner.state === 'none') return 'there is no partner to own the VIPs meanwhile';
  if (partner.state !== 'heard') {
    return 'the partner is not heard: nobody is known to own the VIPs meanwhile';
  }
  if (role !== 'active') {
    return partner.said === 'running' ? undefined : 'the partner does not say that it is active';
  }
  const words = pair?.partner;
  if (words?.isEligible !== false) return undefined;
  return `the partner may not take over (${words.reason ?? 'it does not say why'})`;
}

/** Resigns, and waits until the partner owns the VIPs and is believed. */
async function handOver({ path, tell }: Work): Promise<Outcome> {
  const order = await followOrder(directoryOf(path), 'resign', ASIDE_MS, (step) =>
    tell(stepText(step)),
  );
  if (!order.ok) return err(`not handed over: ${order.error}; nothing was touched`);
  if (order.value.state !== 'done') {
    return err('the handing over did not come to its end: piranha status says who owns the VIPs');
  }
  let lack = '';
  const startedAt = performance.now();
  for (let forMs = 0; forMs < BELIEF_LIMIT_MS; forMs = performance.now() - startedAt) {
    const owner = await ownerThere(path, forMs < PROOF_MS);
    if (owner.ok) return owner;
    lack = owner.error;
    await sleep(LOOK_MS);
  }
  return err(`not restarted, and the old version goes on as a standby: ${lack}`);
}

/**
 * The partner owns every VIP, and whoever is asked there sends to it; `mayCome`: a proof that is not there yet may still
 * come. The error is what is missing.
 */
async function ownerThere(path: string, mayCome: boolean): Promise<Outcome> {
  const own = await statusOf(path, 'own', DEFAULT_CONFIG_FILE);
  if (!isStatus(own)) return err(own.verdict.text);
  if (own.role === 'active') return err('this director is active again');
  if (own.partner.said !== 'running') return err('the partner does not say that it is active');
  const there = await statusOf(path, 'partner', DEFAULT_CONFIG_FILE);
  // Without a channel there are its heartbeats alone.
  if (!isStatus(there))
    return ok('the partner is active; whether it is believed it cannot be asked');
  const missing = there.vips.find(({ state }) => state !== 'up');
  if (missing !== undefined) return err(`${missing.address} is not up on the partner`);
  if (there.pair?.witness.isAsked !== true) return ok('the partner owns the VIPs');
  const doubted = there.vips.find(({ belief }) => belief !== undefined && belief.owner !== 'us');
  if (doubted !== undefined)
    return err(`nobody is known to send ${doubted.address} to the partner`);
  const open = there.vips.find(({ belief }) => belief === undefined);
  if (open === undefined) return ok('the partner owns the VIPs, and is believed');
  const unproved = `who sends ${open.address} where is not proved`;
  return mayCome ? err(unproved) : ok(`the partner owns the VIPs; ${unproved}`);
}

function restart({ tell }: Work): Outcome {
  tell(`systemctl restart ${UNIT}`);
  const { status, stderr } = systemctl('restart', UNIT);
  const said = stderr.trim().split('\n')[0] ?? '';
  return status === 0 ? ok('') : err(`systemctl restart ${UNIT} failed (${status}): ${said}`);
}

function askForRestart(pid: number, { tell, waitMs }: Work): Outcome {
  tell(
    `process ${pid} is not ${UNIT}: end it and start the director as you do; waiting ${waitMs / 1000} s`,
  );
  return ok('');
}

async function waitForNew(oldPid: number, { path, waitMs }: Work): Promise<Outcome> {
  let last = 'it was not restarted';
  for (const limit = performance.now() + waitMs; performance.now() < limit; await sleep(LOOK_MS)) {
    const status = await statusOf(path, 'own', DEFAULT_CONFIG_FILE);
    if (!isStatus(status)) last = status.verdict.text;
    else if (status.pid !== oldPid) {
      const { role, verdict } = status;
      last = verdict.text;
      const now = `${versionNumber()} runs here as ${role}, pid ${status.pid}: ${verdict.text}`;
      if (verdict.level === 'healthy') return ok(now);
    }
  }
  return err(`after ${waitMs / 1000} s: ${last}; the partner owns the VIPs, see piranha status`);
}

/** The process that systemd looks after; 0: none, or there is no systemd. */
function mainPid(): number {
  const { status, stdout } = systemctl('show', '--property=MainPID', '--value', UNIT);
  return status === 0 ? Number(stdout.trim()) : 0;
}

function systemctl(...words: readonly string[]) {
  const ran = spawnSync('systemctl', words, { encoding: 'utf8', timeout: RESTART_LIMIT_MS });
  const { status, stdout, stderr, error } = ran;
  return { status, stdout: stdout ?? '', stderr: error?.message ?? stderr ?? '' };
}

/** A director as it is built, or its source. */
const PROGRAM = /^(.*)\/(?:build\/pulse\/pulse-process\.mjs|src\/main\.ts)$/;

/** By the files it was started from; undefined: it cannot be told. */
function runningVersion(pid: number): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const roots = words.flatMap((word) => PROGRAM.exec(word)?.[1] ?? []);
    return roots[0] === undefined ? undefined : versionNumber(join(roots[0], 'package.json'));
  } catch {
    return undefined; // gone meanwhile, or its files are
  }
}
