/**
 * How exactly the kernel lease ends: a process that extends it is frozen at a random moment, and somebody else asks the
 * segment who has the VIP, every half millisecond, until nobody answers.
 *
 * Each question has a sender of its own (a made-up link-layer address), so that every answer belongs to one question. A question
 * that was sent after the end and answered is *late*; one that was sent more than a jiffy before it and not answered is
 * *missing*. The end is known from both sides: the kernel changed the lease between two readings of the clock. So the
 * verdict holds on a busy machine, too; only the number of questions near the end suffers there.
 *
 * A lease of 229 ms is 57 whole jiffies at 250 Hz: the kernel rounds down (nf_msecs_to_jiffies64). That is its length here.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip, type MacAddress, mac } from '../src/base/index.ts';
import { BootClock, LinuxPoller, openPacketSocket, type PacketSocket } from '../src/ports/index.ts';
import { decodeArp, encodeArp } from '../src/wire/index.ts';
import { VIP } from './lease-keeper.ts';

export type Trial = {
  readonly questions: number;
  /** Answered although sent after the end. */
  readonly late: number;
  /** Not answered although sent more than a jiffy before the end. */
  readonly missing: number;
  /** From the last answered question to the end. */
  readonly earlyMs: number;
  /** From the freeze to the end. */
  readonly afterFreezeMs: number;
};

export type PrecisionOptions = {
  readonly trials: number;
  readonly lengthMs: number;
  readonly intervalMs: number;
  readonly jiffyMs: number;
  /** The namespace of the one who is asked; we are in the asker's, on whose interface `device` it hears. */
  readonly namespace: string;
  readonly device: number;
};

type Question = { readonly sentAt: number; readonly leftAt: number; isAnswered: boolean };
/** When a change of the lease began, and ended if it did. */
type Extension = { readonly beganAt: number; readonly endedAt: number | undefined };

const ASK_MS = 0.5;
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const NOBODY = mac('00:00:00:00:00:00');
const ASKER = ip('10.77.0.12');
const START_LIMIT_MS = 20_000;

const clock = new BootClock();
const poller = new LinuxPoller();

export async function measurePrecision(options: PrecisionOptions): Promise<readonly Trial[]> {
  const socket = openPacketSocket({ index: options.device, name: 'eth0', hears: 'arp' });
  assert.ok(socket.ok, JSON.stringify(socket));
  const diary = join(tmpdir(), `piranha-lease-${process.pid}`);
  const keeper = startKeeper(options, diary);
  try {
    const trials: Trial[] = [];
    while (trials.length < options.trials)
      trials.push(await freeze(keeper, diary, socket.value, options));
    return trials;
  } finally {
    keeper.kill('SIGKILL');
    socket.value.close();
    rmSync(diary);
  }
}

function startKeeper(
  { namespace, lengthMs, intervalMs }: PrecisionOptions,
  diary: string,
): ChildProcess {
  const out = openSync(diary, 'w');
  const script = join(import.meta.dirname, 'lease-keeper.ts');
  const words = ['keep', String(lengthMs), String(intervalMs)];
  const argv = ['netns', 'exec', namespace, process.execPath, script, ...words];
  const keeper = spawn('ip', argv, { stdio: ['ignore', out, 'inherit'] });
  closeSync(out);
  return keeper;
}

async function freeze(
  keeper: ChildProcess,
  diary: string,
  socket: PacketSocket,
  options: PrecisionOptions,
): Promise<Trial> {
  const { lengthMs, intervalMs, jiffyMs } = options;
  await untilAcquired(diary, clock.now());
  await sleep((2 + 2 * Math.random()) * intervalMs);
  const questions = new Map<MacAddress, Question>();
  const began = clock.now();
  ask(socket, questions, began + 5);
  const frozenAt = clock.now();
  keeper.kill('SIGSTOP');
  ask(socket, questions, frozenAt + lengthMs + 40);
  const extensions = readDiary(diary);
  keeper.kill('SIGCONT');
  hear(socket, questions);
  const last = extensions.at(-1);
  const whole = extensions.findLast(({ endedAt }) => endedAt !== undefined);
  assert.ok(last !== undefined && whole?.endedAt !== undefined, 'the lease was never extended');
  const wholeMs = Math.floor(lengthMs / jiffyMs) * jiffyMs;
  const soonest = whole.beganAt + wholeMs;
  const latest = (last.endedAt ?? frozenAt + 1) + wholeMs;
  const all = [...questions.values()];
  const answered = all.filter(({ isAnswered }) => isAnswered);
  return {
    questions: all.length,
    late: answered.filter(({ sentAt }) => sentAt > latest).length,
    missing: all.filter(({ isAnswered, leftAt }) => !isAnswered && leftAt < soonest - jiffyMs)
      .length,
    earlyMs: soonest - Math.max(...answered.map(({ sentAt }) => sentAt)),
    afterFreezeMs: soonest - frozenAt,
  };
}

/** Asks until `end`, and reads the answers in between. */
function ask(socket: PacketSocket, questions: Map<MacAddress, Question>, end: number): void {
  for (let sentAt = clock.now(); sentAt < end; sentAt = clock.now()) {
    const senderMac = nameOf(questions.size);
    const refusal = socket.send(
      encodeArp({
        ...{ destination: BROADCAST, source: senderMac, operation: 'request', senderMac },
        ...{ senderIp: ASKER, targetMac: NOBODY, targetIp: VIP },
      }),
    );
    assert.equal(refusal, undefined);
    questions.set(senderMac, { sentAt, leftAt: clock.now(), isAnswered: false });
    poller.wait([], ASK_MS);
    hear(socket, questions);
  }
}

function hear(socket: PacketSocket, questions: Map<MacAddress, Question>): void {
  for (let frames = socket.receive(); frames.length > 0; frames = socket.receive()) {
    for (const frame of frames) {
      const arp = decodeArp(frame);
      if (!arp.ok || arp.value.operation !== 'reply' || arp.value.senderIp !== VIP) continue;
      const question = questions.get(arp.value.targetMac);
      if (question !== undefined) question.isAnswered = true;
    }
  }
}

function nameOf(number: number): MacAddress {
  const digits = number.toString(16).padStart(8, '0');
  return mac(`02:77:${(digits.match(/../g) ?? []).join(':')}`);
}

async function untilAcquired(diary: string, since: number): Promise<void> {
  const isFresh = () =>
    readDiary(diary).some(({ beganAt, endedAt }) => endedAt !== undefined && beganAt > since);
  for (let waited = 0; waited < START_LIMIT_MS; waited += 5) {
    if (isFresh()) return;
    await sleep(5);
  }
  throw new Error('the lease is not extended');
}

function readDiary(diary: string): readonly Extension[] {
  const extensions: Extension[] = [];
  let beganAt: number | undefined;
  for (const line of readFileSync(diary, 'utf8').split('\n')) {
    const [kind, at] = line.split(' ');
    if (kind === 'b') beganAt = Number(at);
    if (kind !== 'a' || beganAt === undefined) continue;
    extensions.push({ beganAt, endedAt: Number(at) });
    beganAt = undefined;
  }
  return beganAt === undefined ? extensions : [...extensions, { beganAt, endedAt: undefined }];
}
