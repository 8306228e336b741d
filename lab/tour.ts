/**
 * The tour for a stranger: what the network is, the configuration file, the two daemons, and then the story of Red Hat
 * bug 140414 as it happens, told in the milliseconds that the observer measured. `lab up` is the same without the story.
 */
import { diagram } from './diagram.ts';
import { LAB_DIRECTORY, lvsConfig, PROGRAM, type Setup, startCommand } from './directors.ts';
import { MAP, VIP_TEXT } from './map.ts';
import { now, sleep } from './observer.ts';
import type { RunRecord } from './record.ts';
import { Screen } from './screen.ts';
import { Stage } from './stage.ts';
import { DIRECTORS } from './topology.ts';

export type TourOptions = { readonly setup: Setup; readonly hasStory: boolean };

/** A round of announcements is five seconds long; after it, nothing can be healed by a late frame of the start. */
const QUIET_MS = 1300;
/** Long enough for eyes. */
const PAUSE_MS = 2500;

export async function tour({ setup, hasStory }: TourOptions): Promise<void> {
  const screen = new Screen();
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => resolve('interrupted'));
  });
  introduce(screen, setup);
  const stage = await Stage.build(setup);
  if (!stage.observer.isRealtime) {
    screen.tell(
      '(No real-time priority for the observer: on a busy machine the times below are less exact.)\n',
    );
  }
  screen.follow(stage.observer.present, setup.family);
  const acts = hasStory ? play(stage, screen) : stayUp(stage, screen, interrupted);
  const end = await Promise.race([acts, interrupted]);
  screen.end();
  await stage.close();
  if (end === 'interrupted' && hasStory) process.exitCode = 130;
  else if (end === 'bad') process.exitCode = 1;
}

function introduce(screen: Screen, setup: Setup): void {
  screen.tell(screen.paint('bold', 'The network, made of namespaces of this kernel:'));
  screen.tell(MAP);
  screen.tell(VIP_TEXT);
  if (setup.kind === 'piranha') {
    screen.tell(screen.paint('bold', `The directors' configuration, ${LAB_DIRECTORY}/da/lvs.cf:`));
    screen.tell(lvsConfig(setup, 'da').replace(/^/gm, '  ').trimEnd());
    screen.tell();
  }
  screen.tell(screen.paint('bold', 'Started in their namespaces:'));
  for (const node of DIRECTORS)
    screen.tell(`  ${node}# ${startCommand(setup.kind, node).join(' ')}`);
  screen.tell();
}

async function startBoth(stage: Stage, screen: Screen): Promise<void> {
  const startedAt = now();
  await stage.settle(0);
  screen.tell(
    `da (node primary) owns the VIP, db (node backup) stands by, ${ms(now() - startedAt)} after the first start.`,
  );
}

async function stayUp(
  stage: Stage,
  screen: Screen,
  interrupted: Promise<unknown>,
): Promise<'good'> {
  await startBoth(stage, screen);
  screen.tell(`
Look around from another terminal:
  ${PROGRAM} lab shell da          then: ${PROGRAM} status --run-dir ${LAB_DIRECTORY}/da
  ${PROGRAM} lab shell router      then: ip neigh
Ctrl-C, or from anywhere: ${PROGRAM} lab down`);
  await interrupted;
  return 'good';
}

async function play(stage: Stage, screen: Screen): Promise<'good' | 'bad'> {
  await startBoth(stage, screen);
  screen.tell(
    'Waiting until the start has said all its announcements, so that no late one heals anything by luck ...',
  );
  await stage.settle(QUIET_MS, 'as they are');

  const { observer, directors } = stage;
  const { scene, record } = await stage.begin('freeze', { run: 1, seed: 0, random: () => 0 });
  screen.tell(
    `\n${screen.paint('bold', '1. da freezes')} (kill -STOP: the machine hangs, its kernel does not)`,
  );
  scene.mark('frozen');
  directors.signal('da', 'SIGSTOP');
  await observer.until((present) => present.owners.has('db'), stage.deadtimeMs + 5000);
  await sleep(PAUSE_MS);
  tellTakeover(screen, await record(), stage.deadtimeMs);

  screen.tell(
    `\n${screen.paint('bold', '2. da wakes')} (kill -CONT) and does not know that it slept`,
  );
  const wokenAt = now();
  scene.mark('woken');
  directors.signal('da', 'SIGCONT');
  await sleep(PAUSE_MS);
  const end = await record();
  tellHeal(screen, end);
  const lines = diagram(observer.peekEvents(), {
    fromAt: wokenAt,
    toAt: wokenAt + 250,
    maxLines: 14,
  });
  screen.tell(`\n${lines.map((line) => `   ${line}`).join('\n')}`);
  return tellVerdict(screen, end);
}

function tellTakeover(screen: Screen, record: RunRecord, deadtimeMs: number): void {
  const raised = record.owners.find(({ is }) => is.includes('db'));
  const moved = record.router.find(({ is }) => is === 'db');
  if (raised === undefined || record.takeoverMs === undefined) {
    screen.tell('   db never took over.');
    return;
  }
  const silent = record.answering.find(({ is }) => is.length === 0);
  if (silent !== undefined) {
    screen.tell(
      `   ${ms(silent.ms)} after the freeze da's kernel had stopped answering by itself: its lease had run out.`,
    );
  }
  screen.tell(
    `   ${ms(record.takeoverMs)} after the last heartbeat of da (deadtime ${ms(deadtimeMs)}) db raised and announced the VIP.`,
  );
  screen.tell(
    moved === undefined
      ? '   The router did not follow.'
      : `   The router followed ${ms(moved.ms - raised.ms)} later; ${outage(record)}.`,
  );
  if (record.answering.at(-1)?.is.length === 2) {
    screen.tell(
      "   The frozen daemon's kernel still answers for the VIP; only the router's entry keeps the traffic on db.",
    );
  }
}

function tellHeal(screen: Screen, record: RunRecord): void {
  const woken = record.steps.find(({ is }) => is === 'woken')?.ms ?? 0;
  const yielded = record.owners.find(({ ms: at, is }) => at >= woken && is.length === 1);
  const moved = record.router.find(({ ms: at }) => at >= woken);
  const { owner } = record.verdict;
  if (yielded !== undefined) {
    const loser = owner === 'da' ? 'db' : 'da';
    screen.tell(`   ${ms(yielded.ms - woken)} after waking ${loser} gave the VIP up.`);
  }
  if (moved !== undefined) {
    screen.tell(
      `   ${ms(moved.ms - woken)} after waking the router's entry moved to ${moved.is}, by an announcement.`,
    );
  }
  const { da, db } = record.announcements;
  screen.tell(
    `   Announcements in all: ${da} by da, ${db} by db. From the freeze on ${outage(record)}.`,
  );
}

/** The last line of the story. */
function tellVerdict(screen: Screen, record: RunRecord): 'good' | 'bad' {
  const { owner, router, isStale, isGood } = record.verdict;
  const { sent, lost } = record.probes;
  const probes = `${sent - lost} of ${sent} probes answered`;
  screen.tell(
    '\nIn 2004 da kept the VIP and the router went on sending to db, for up to four hours.\n',
  );
  if (isGood) {
    screen.tell(
      screen.paint('good', `WELL: one owner, ${owner}, and the router sends to it; ${probes}.`),
    );
    return 'good';
  }
  const words = isStale
    ? `STALE: ${owner} owns the VIP, but the router sends to ${router ?? 'nobody'}; ${probes}.`
    : `NOT WELL: ${JSON.stringify(record.verdict)}; ${probes}.`;
  screen.tell(screen.paint('bad', words));
  return 'bad';
}

function outage({ outageMs }: RunRecord): string {
  return outageMs === 0
    ? 'the client lost no probe'
    : `the client was without an answer for ${ms(outageMs)}`;
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
