/**
 * Hostile answers by the hundred thousand: what a stranger's server may send instead of an answer, random or a good
 * answer with wounds, in pieces of any size. Nothing may throw, every play must end in a verdict with a reason of the
 * closed list, and no dialogue may ask for more than it promised to read.
 *
 * Entries: `fuzzChecks` for everything that is judged without a socket (http, send and expect, smtp, dns, programs),
 * `fuzzTls` for servers that answer a TLS greeting with garbage, over real sockets. Both repeat exactly from a seed.
 *
 *     node src/checks/fuzz.ts [--count 1000000] [--tls 2000] [--seed 140414]
 *
 * prints a line for each: plays, up, down by reason, time, growth of live memory.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assert, concatBytes, fromHex, ip, utf8 } from '../base/index.ts';
import { makeCheck, PROBE_FAILURES, type ProbeFailure, type Verdict } from '../model/index.ts';
import type { SpawnOutcome } from '../ports/index.ts';
import { type Dialogue, exchangeScript, type Script } from './dialogue.ts';
import { dnsScript } from './dns.ts';
import { httpScript } from './http.ts';
import { proberOf } from './prober.ts';
import { judgeProgram } from './program.ts';
import { smtpScript } from './smtp.ts';

/** How often each verdict came. */
export type FuzzTally = { readonly plays: number; readonly up: number } & {
  readonly down: ReadonlyMap<ProbeFailure, number>;
};

/** More than any dialogue reads before it must have made up its mind. */
const ENOUGH = 16 * 1024 + 64 * 1024 + 1024;

const ANSWERS: readonly Uint8Array[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 302 Found\r\nLocation: /\r\n\r\n',
  'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99999999999\r\n\r\n',
  '220-mail.example ESMTP\r\n220 ready\r\n',
  '220 x\r\n',
  '250-PIPELINING\r\n250 SIZE 1000\r\n',
  'SSH-2.0-OpenSSH_9.2\r\n',
  '',
].map(utf8);
const DNS_ANSWERS = [
  '1234 8180 0001 0001 0000 0000 03777777 076578616d706c65 00 0001 0001 c00c 0001 0001 0000003c 0004 c6336415',
  '1234 8185 0001 0000 0000 0000 03777777 076578616d706c65 00 0001 0001',
].map(fromHex);

const STATUSES = [{ from: 200, to: 399 }];
const HTTP = { kind: 'http', method: 'GET', path: '/', statuses: STATUSES } as const;
const SCRIPTS: readonly Script[] = [
  httpScript(HTTP, 'a'),
  httpScript({ ...HTTP, body: '(h+e*)+l{1,3}o$' }, 'a'),
  exchangeScript('x', { kind: 'prefix', text: 'HTTP/1.1 200' }),
  exchangeScript('x', { kind: 'regex', pattern: '^(([a-z]+)*2?)+ (OK|ready)' }),
  exchangeScript(undefined, { kind: 'anything' }),
  smtpScript('director'),
  dnsScript('www.example', 'A', () => 0x1234),
];

/**
 * Plays `count` conversations from `seed`; throws at the first that breaks a promise. About a million in half a minute.
 */
export function fuzzChecks(count: number, seed: number): FuzzTally {
  const dice = new Dice(seed);
  const tally = new Tally();
  for (let play = 0; play < count; play++) {
    const pick = dice.below(SCRIPTS.length + 1);
    const script = SCRIPTS[pick];
    const verdict = script === undefined ? programPlay(dice) : dialoguePlay(script, dice);
    tally.count(verdict, `seed ${seed}, play ${play}`);
  }
  return tally;
}

function dialoguePlay(script: Script, dice: Dice): Verdict {
  assert(typeof script === 'function', 'a fuzzed check that cannot be made');
  const dialogue = script();
  if (dice.below(200) === 0) return floodPlay(dialogue, dice);
  for (let pieces = dice.below(6); pieces > 0; pieces--) {
    const verdict = hear(dialogue, hostileBytes(dice), dice);
    if (verdict !== undefined) return verdict;
  }
  return dialogue.end();
}

/** A server that goes on for ever. Datagrams have no end: there the time limit decides. */
function floodPlay(dialogue: Dialogue, dice: Dice): Verdict {
  const floods = ['', 'HTTP/1.1 200 OK\r\nx: ', '220-', 'HTTP/1.1 200 OK\r\n\r\n'];
  const begin = utf8(floods[dice.below(floods.length)] ?? '');
  const isText = dice.below(2) === 0;
  const piece = isText ? utf8('220-more: of it\r\n'.repeat(60)) : dice.bytes(1024);
  const first = hear(dialogue, begin, dice);
  if (first !== undefined) return first;
  for (let read = 0; read < ENOUGH; read += piece.length) {
    const verdict = hear(dialogue, piece, dice);
    if (verdict !== undefined) return verdict;
  }
  assert(dialogue.awaits.includes('question'), 'a dialogue that reads without an end');
  return dialogue.end();
}

function hear(dialogue: Dialogue, bytes: Uint8Array, dice: Dice): Verdict | undefined {
  for (let at = 0; at < bytes.length || at === 0; ) {
    const length = dice.below(4) === 0 ? 1 + dice.below(8) : bytes.length;
    const reply = dialogue.receive(bytes.subarray(at, at + length));
    at += Math.max(1, length);
    if (reply === undefined) continue;
    if ('isUp' in reply) return reply;
    if (reply.verdict !== undefined) return reply.verdict;
  }
  return undefined;
}

function hostileBytes(dice: Dice): Uint8Array {
  const list = dice.below(4) === 0 ? DNS_ANSWERS : ANSWERS;
  const answer = list[dice.below(list.length)] ?? new Uint8Array(0);
  const kind = dice.below(6);
  if (kind === 0) return dice.bytes(dice.below(300));
  const bytes = Uint8Array.from(answer);
  if (kind === 1 || bytes.length === 0) return bytes;
  if (kind === 2) return bytes.subarray(0, dice.below(bytes.length));
  if (kind === 3) return concatBytes(bytes, dice.bytes(dice.below(100)), bytes);
  for (let wounds = 1 + dice.below(4); wounds > 0; wounds--) {
    bytes[dice.below(bytes.length)] = dice.below(256);
  }
  return bytes;
}

function programPlay(dice: Dice): Verdict {
  const output = dice.below(3) === 0 ? utf8('OK\n') : dice.bytes(dice.below(5000));
  const error = { operation: 'exec', target: '/bin/x', code: 'ENOENT' };
  const outcomes: readonly SpawnOutcome[] = [
    { kind: 'exited', status: dice.below(2) * dice.below(256), output },
    { kind: 'killed', signal: dice.below(65), output },
    { kind: 'timeout', output },
    { kind: 'failed', error },
  ];
  const outcome = outcomes[dice.below(outcomes.length)];
  assert(outcome !== undefined, 'no outcome');
  return judgeProgram(outcome, dice.below(4) === 0 ? undefined : 'OK');
}

/** `count` TLS greetings answered with garbage, alerts and silence that ends; 64 at a time. */
export async function fuzzTls(count: number, seed: number): Promise<FuzzTally> {
  const dice = new Dice(seed);
  const tally = new Tally();
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write(hostileRecord(dice));
      if (dice.below(4) === 0) socket.resetAndDestroy();
      else socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = server.address();
  assert(own !== null && typeof own === 'object', 'no address');
  const timing = { intervalMs: 1000, timeoutMs: 5000, rise: 1, fall: 1 };
  const procedure = { kind: 'tls', tls: { isVerified: false, minDays: 0 } } as const;
  const check = makeCheck({ address: ip('127.0.0.1'), port: own.port, ...timing, procedure });
  const prober = proberOf(check, {});
  const probe = async (play: number) => {
    const verdict = await new Promise<Verdict>((resolve) => prober(resolve));
    tally.count(verdict, `seed ${seed}, TLS play ${play}`);
    assert(!verdict.isUp, 'garbage made a session');
  };
  try {
    for (let play = 0; play < count; play += 64) {
      const wave = Array.from({ length: Math.min(64, count - play) }, (_, index) => play + index);
      await Promise.all(wave.map(probe));
    }
  } finally {
    server.close();
  }
  return tally;
}

/** A TLS record of some kind (RFC 8446 §5.1) with anything in it, or no record at all. */
function hostileRecord(dice: Dice): Uint8Array {
  if (dice.below(4) === 0) return dice.bytes(dice.below(400));
  const length = dice.below(300);
  const kind = 20 + dice.below(5);
  // An alert as servers send it is two bytes: a fatal one of any description.
  if (kind === 21 && dice.below(2) === 0) {
    return Uint8Array.of(21, 3, 3, 0, 2, 2, dice.below(256));
  }
  const head = Uint8Array.of(kind, 3, dice.below(5), length >> 8, length & 0xff);
  return concatBytes(head, dice.bytes(length));
}

class Tally {
  plays = 0;
  up = 0;
  readonly down = new Map<ProbeFailure, number>();

  count(verdict: Verdict, where: string): void {
    this.plays++;
    if (verdict.isUp) {
      this.up++;
      return;
    }
    const { reason, detail } = verdict;
    assert(PROBE_FAILURES.includes(reason), `${where}: reason ${reason}`);
    assert(detail.length <= 200 && !/\p{Cc}/u.test(detail), `${where}: detail ${detail}`);
    this.down.set(reason, (this.down.get(reason) ?? 0) + 1);
  }
}

/** xorshift32 (Marsaglia 2003). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % limit;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000000' },
      tls: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '140414' },
    },
  });
  const seed = Number(values.seed);
  const runs: readonly (readonly [string, () => FuzzTally | Promise<FuzzTally>])[] = [
    ['answers', () => fuzzChecks(Number(values.count), seed)],
    ['TLS greetings', () => fuzzTls(Number(values.tls), seed)],
  ];
  for (const [name, run] of runs) {
    const [before, began] = [liveKib(), performance.now()];
    const { plays, up, down } = await run();
    const reasons = Array.from(down, ([reason, count]) => `${reason} ${count}`).join(', ');
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const grown = liveKib() - before;
    console.log(
      `${plays} ${name}: up ${up}, ${reasons}; ${seconds} s, memory grew by ${grown} KiB`,
    );
  }
}

/** What is left after a collection. */
function liveKib(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  return Math.round(process.memoryUsage().heapUsed / 1024);
}

if (import.meta.main) await main();
