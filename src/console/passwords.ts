/**
 * Passwords: how they are kept, and how one is tried.
 *
 * Kept is what argon2id makes of it (RFC 9106; OWASP's first set of parameters: 46 MiB, one pass, one lane), with scrypt
 * where Node's cryptography lacks argon2. The text says its own parameters ("PHC string"), so that they can be raised
 * later. Hashing is done one at a time and few may wait: each takes a tenth of a second of a processor that a director
 * needs, and whoever wants to guess decides how often it is asked for. Rejected for that: the 64 MiB and three passes of
 * RFC 9106 §4, six times the work.
 *
 * A user that does not exist costs the same time: the password is tried against a hash of nobody's.
 */
import { argon2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { utf8 } from '../base/index.ts';

export const PASSWORD_MIN = 12;
export const PASSWORD_MAX = 1024;

/** Memory in KiB. Memory times passes is what a guess costs. */
const ARGON2 = { memory: 47_104, passes: 1, parallelism: 1, tagLength: 32 };
const SCRYPT = { log2N: 17, r: 8, p: 1, length: 32 };
const NONCE_BYTES = 16;
/** One is worked on and so many wait; about a second. */
const MOST_WAITING = 8;

/** Typed alike is equal: the same letter may be composed in two ways (NIST SP 800-63B §3.1.1.2). */
function wordOf(password: string): Uint8Array {
  return utf8(password.normalize('NFKC'));
}

/** A sentence when it cannot be a password. Length is what counts; no rule asks for a digit. */
export function passwordFault(password: string): string | undefined {
  const length = [...password].length;
  if (length < PASSWORD_MIN) {
    return `a password has at least ${PASSWORD_MIN} characters, this one has ${length}`;
  }
  if (wordOf(password).length > PASSWORD_MAX) return `more than ${PASSWORD_MAX} bytes are too many`;
  if (/[\r\n\0]/.test(password)) return 'a password is one line';
  if (new Set(password).size < 4) return 'this one would be guessed first';
  return undefined;
}

/** The text to keep. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(NONCE_BYTES);
  if (typeof argon2 !== 'function') {
    const { log2N, r, p } = SCRYPT;
    const hash = await scryptOf(wordOf(password), nonce, SCRYPT);
    return `$scrypt$ln=${log2N},r=${r},p=${p}$${base64(nonce)}$${base64(hash)}`;
  }
  const hash = await argon2Of(wordOf(password), nonce, ARGON2);
  const { memory, passes, parallelism } = ARGON2;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(nonce)}$${base64(hash)}`;
}

type Kept = {
  readonly nonce: Uint8Array;
  readonly hash: Uint8Array;
  readonly again: (word: Uint8Array) => Promise<Uint8Array>;
};

const PHC =
  /^\$(argon2id\$v=19|scrypt)\$(?:m|ln)=(\d{1,7}),(?:t|r)=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
/** What a file may ask of us: a mistyped number must not take the machine's memory. */
const MOST_MEMORY_KIB = 262_144;
const MOST_LOG2N = 20;

/** Undefined: not a text of ours. */
export function parseHash(text: string): Kept | undefined {
  const match = PHC.exec(text);
  if (match === null) return undefined;
  const [, kind = '', first, second, third, nonceText = '', hashText = ''] = match;
  const [cost, passes, parallelism] = [Number(first), Number(second), Number(third)];
  const nonce = Buffer.from(nonceText, 'base64');
  const hash = Buffer.from(hashText, 'base64');
  if (passes < 1 || parallelism < 1) return undefined;
  const tagLength = hash.length;
  if (kind === 'scrypt') {
    if (cost < 10 || cost > MOST_LOG2N || passes > 16 || parallelism > 4) return undefined;
    const parameters = { log2N: cost, r: passes, p: parallelism, length: tagLength };
    return { nonce, hash, again: (word) => scryptOf(word, nonce, parameters) };
  }
  if (cost < 8 * parallelism || cost > MOST_MEMORY_KIB || passes > 16) return undefined;
  const parameters = { memory: cost, passes, parallelism, tagLength };
  return { nonce, hash, again: (word) => argon2Of(word, nonce, parameters) };
}

export type Tried = 'right' | 'wrong' | 'busy';

/** Tries passwords, one at a time. */
export class PasswordDesk {
  readonly #nobody = hashPassword(randomBytes(NONCE_BYTES).toString('hex'));
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `kept` undefined: there is no such user, which takes as long. */
  async try(password: string, kept: string | undefined): Promise<Tried> {
    if (this.#waiting > MOST_WAITING) return 'busy';
    this.#waiting++;
    const mine = this.#turn.then(() => this.#compare(password, kept));
    this.#turn = mine.catch(() => undefined);
    try {
      return (await mine) ? 'right' : 'wrong';
    } finally {
      this.#waiting--;
    }
  }

  async #compare(password: string, kept: string | undefined): Promise<boolean> {
    const parsed = kept === undefined ? undefined : parseHash(kept);
    const against = parsed ?? parseHash(await this.#nobody);
    if (against === undefined) return false;
    const hash = await against.again(wordOf(password.slice(0, PASSWORD_MAX)));
    const isEqual = hash.length === against.hash.length && timingSafeEqual(hash, against.hash);
    return isEqual && parsed !== undefined;
  }
}

function argon2Of(
  message: Uint8Array,
  nonce: Uint8Array,
  parameters: typeof ARGON2,
): Promise<Uint8Array> {
  return promisify(argon2)('argon2id', { message, nonce, ...parameters });
}

function scryptOf(
  word: Uint8Array,
  salt: Uint8Array,
  { log2N, r, p, length }: typeof SCRYPT,
): Promise<Uint8Array> {
  const N = 2 ** log2N;
  return new Promise((resolve, reject) => {
    scrypt(word, salt, length, { N, r, p, maxmem: 256 * N * r }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Without padding, as the format wants it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
