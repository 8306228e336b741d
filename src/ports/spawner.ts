/**
 * Runs outside programs through the tiny child of native/spawner.c, which says why it exists and
 * how it is spoken to.
 *
 * It is started once, when this object is made, and ends with it (or with this process, however
 * that ends). When it dies by itself everything that ran through it has failed with `EPIPE`, and so
 * does every later run: the director notes it and its supervisor decides. Rejected: starting it
 * anew silently (what ran is lost either way, and a spawner that dies is a mistake of ours or a
 * machine out of memory; both should be seen).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { concatBytes, fromUtf8, utf8 } from '../base/index.ts';
import { portError } from './errno.ts';
import { nativeFile } from './native.ts';
import type { Spawner, SpawnOutcome, SpawnRequest } from './types.ts';

const AS_OURSELVES = 0xffffffff;
const MAX_REQUEST = 128 * 1024;
const MAX_ARGUMENTS = 256;
const MAX_OUTPUT = 65536;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Of an answer: id, kind, code. */
const ANSWER_HEADER = 12;

type Waiting = { readonly program: string; readonly settle: (outcome: SpawnOutcome) => void };

export class ProcessSpawner implements Spawner {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #received: Uint8Array = new Uint8Array(0);
  #nextId = 1;
  #hasEnded = false;

  /** Throws NativeUnavailable when the spawner was not built for this machine. */
  constructor() {
    this.#child = spawn(nativeFile('spawner'), [], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: '/',
      env: ownEnvironment(),
    });
    this.#child.on('error', () => this.#end());
    this.#child.on('exit', () => this.#end());
    // A spawner that died shows as EPIPE here; `exit` tells those who wait.
    this.#child.stdin?.on('error', () => this.#end());
    this.#child.stdout?.on('data', (bytes: Uint8Array) => this.#receive(bytes));
    // It waits for us; nobody has to wait for it.
    this.#child.unref();
    this.#keepAlive(false);
  }

  /** The process id of the child, for those who look after it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Throws TypeError for a request that is our mistake; everything the world does is an outcome.
   */
  run(request: SpawnRequest): Promise<SpawnOutcome> {
    const id = this.#nextId;
    const bytes = encodeRequest(id, request);
    this.#nextId = (id + 1) >>> 0;
    const program = request.argv[0] ?? '';
    if (this.#hasEnded) return Promise.resolve(gone(program));
    return new Promise((settle) => {
      this.#waiting.set(id, { program, settle });
      this.#keepAlive(true);
      this.#child.stdin?.write(bytes);
    });
  }

  /** Ends the child, which kills what runs; their outcomes are `failed` with EPIPE. */
  close(): void {
    this.#child.stdin?.end();
    this.#end();
  }

  #end(): void {
    this.#hasEnded = true;
    for (const { program, settle } of this.#waiting.values()) settle(gone(program));
    this.#waiting.clear();
    this.#keepAlive(false);
  }

  /**
   * While somebody waits for an outcome the event loop goes on; afterwards this object does not
   * hold it.
   */
  #keepAlive(isNeeded: boolean): void {
    for (const stream of [this.#child.stdout, this.#child.stdin]) {
      if (stream === null || !('ref' in stream) || !('unref' in stream)) continue;
      const hold = isNeeded ? stream.ref : stream.unref;
      if (typeof hold === 'function') hold.call(stream);
    }
  }

  #receive(bytes: Uint8Array): void {
    // A copy, also to have plain bytes and no Buffer.
    this.#received = concatBytes(this.#received, bytes);
    for (;;) {
      const { buffer, byteOffset, length: available } = this.#received;
      if (available < 4) return;
      const fields = new DataView(buffer, byteOffset, available);
      const length = fields.getUint32(0, true);
      if (available < 4 + length) return;
      const output = this.#received.slice(4 + ANSWER_HEADER, 4 + length);
      this.#settle(fields.getUint32(4, true), fields.getUint32(8, true), {
        code: fields.getInt32(12, true),
        output,
      });
      this.#received = this.#received.subarray(4 + length);
    }
  }

  #settle(id: number, kind: number, answer: { code: number; output: Uint8Array }): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#keepAlive(false);
    const { code, output } = answer;
    if (kind === 0) waiting.settle({ kind: 'exited', status: code, output });
    else if (kind === 1) waiting.settle({ kind: 'killed', signal: code, output });
    else if (kind === 2) waiting.settle({ kind: 'timeout', output });
    else {
      const error = portError(fromUtf8(output), waiting.program, code);
      waiting.settle({ kind: 'failed', error });
    }
  }
}

/**
 * Ours, without what is between the supervisor and us: no program that we run may say how the
 * director is.
 */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _, WATCHDOG_USEC: _usec, WATCHDOG_PID: _pid, ...rest } = process.env;
  delete rest.PIRANHA_NAME; // by which we were called, not they
  return rest;
}

function gone(program: string): SpawnOutcome {
  return { kind: 'failed', error: portError('spawner', program, 'EPIPE') };
}

function encodeRequest(id: number, request: SpawnRequest): Uint8Array {
  const { argv, timeoutMs, uid, gid, maxOutput } = request;
  need('timeoutMs', timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS, '1 to 2147483647 milliseconds');
  need('maxOutput', isWhole(maxOutput, MAX_OUTPUT), '0 to 65536 bytes');
  need('uid', uid === undefined || isWhole(uid, AS_OURSELVES - 1), 'a numeric user');
  need('gid', gid === undefined || isWhole(gid, AS_OURSELVES - 1), 'a numeric group');
  need('gid', uid === undefined || gid !== undefined, 'a group together with a user');
  need('argv', argv.length >= 1 && argv.length <= MAX_ARGUMENTS, '1 to 256 arguments');
  need('argv', argv[0] !== '', 'a program');
  need(
    'argv',
    argv.every((argument) => !argument.includes('\0')),
    'arguments without zero bytes',
  );
  const words = (...values: readonly number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const body = concatBytes(
    words(
      id,
      uid ?? AS_OURSELVES,
      gid ?? AS_OURSELVES,
      Math.ceil(timeoutMs),
      maxOutput,
      argv.length,
    ),
    ...argv.flatMap((argument) => {
      const bytes = utf8(argument);
      return [words(bytes.length), bytes];
    }),
  );
  need('argv', body.length <= MAX_REQUEST, 'at most 128 KiB of arguments');
  return concatBytes(words(body.length), body);
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

function need(name: string, isGood: boolean, wish: string): void {
  if (!isGood) throw new TypeError(`${name}: ${wish} needed`);
}
