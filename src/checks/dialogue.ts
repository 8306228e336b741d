/**
 * Dialogues: what is said to a server and what its answer means, without a socket.
 *
 * A probe is a dialogue over a transport (TCP, TLS, UDP). The dialogue gets bytes in whatever pieces they come and says
 * at once when it has seen enough; every one has a limit on what it keeps. So the whole judgement of what strangers
 * send can be fuzzed a million times a second, and http and https are one piece of code.
 *
 * This file: the words, and nanny's own dialogue of send and expect. The original judged the first read alone; we read
 * until there is enough, because a slow server may send its first line in two segments.
 * Source: nanny(8), piranha 0.8.6.
 */
import { compileEre, concatBytes, type Ere, fromUtf8, utf8 } from '../base/index.ts';
import { down, type Expectation, UP, type Verdict } from '../model/index.ts';

/** What a dialogue answers to a piece: a verdict, something to say, or undefined: go on. */
export type Reply = Verdict | { readonly say: Uint8Array; readonly verdict?: Verdict } | undefined;

export interface Dialogue {
  /** Said as soon as there is a connection. */
  readonly opening?: Uint8Array;
  /** Nothing is awaited: the check is passed when the opening is on its way. */
  readonly isOver?: boolean;
  receive(bytes: Uint8Array): Reply;
  /** The server ended the connection. */
  end(): Verdict;
  /** What is missing, for the sentence of a timeout: `an answer`. */
  readonly awaits: string;
}

/** Makes a fresh dialogue for each probe; a verdict when the check cannot be made at all. */
export type Script = (() => Dialogue) | Verdict;

/** nanny kept as many bytes for a regular expression. */
const REGEX_WINDOW = 254;

/** `send` and `expect`. */
export function exchangeScript(send: string | undefined, expect: Expectation | undefined): Script {
  const opening = send === undefined || send === '' ? undefined : utf8(send);
  const said = opening === undefined ? {} : { opening };
  if (expect === undefined) {
    const over = { ...said, isOver: true, awaits: 'nothing', receive: () => UP, end: () => UP };
    return () => over;
  }
  if (expect.kind === 'anything') {
    const any = { ...said, awaits: 'an answer', receive: () => UP, end: () => UP };
    return () => any;
  }
  if (expect.kind === 'prefix') {
    const wish = utf8(expect.text);
    return () => ({ ...said, ...prefixDialogue(wish, expect.text) });
  }
  const compiled = compileEre(expect.pattern);
  if (!compiled.ok) return down('bad-check', `regular expression: ${compiled.error}`);
  return () => ({ ...said, ...regexDialogue(compiled.value, expect.pattern) });
}

function prefixDialogue(wish: Uint8Array, text: string): Dialogue {
  let seen: Uint8Array = new Uint8Array(0);
  return {
    awaits: `an answer that begins with ${quoted(text)}`,
    receive: (bytes) => {
      seen = concatBytes(seen, bytes.subarray(0, wish.length - seen.length));
      // The first wrong byte decides; the rest need not be waited for.
      if (!seen.every((byte, index) => byte === wish[index])) {
        return down('wrong-answer', `${showBytes(seen)} instead of ${quoted(text)}`);
      }
      return seen.length >= wish.length ? UP : undefined;
    },
    end: () =>
      wish.length === 0
        ? UP
        : down('closed', `after ${showBytes(seen)}, too short for ${quoted(text)}`),
  };
}

function regexDialogue(ere: Ere, pattern: string): Dialogue {
  let seen: Uint8Array = new Uint8Array(0);
  return {
    awaits: `an answer with /${pattern}/`,
    receive: (bytes) => {
      seen = concatBytes(seen, bytes.subarray(0, REGEX_WINDOW - seen.length));
      if (ere.test(seen)) return UP;
      if (seen.length < REGEX_WINDOW) return undefined;
      return down('wrong-answer', `/${pattern}/ is not in ${showBytes(seen)}`);
    },
    end: () =>
      ere.test(seen) ? UP : down('wrong-answer', `/${pattern}/ is not in ${showBytes(seen)}`),
  };
}

/** The beginning of an answer, for people. */
export function showBytes(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'nothing' : quoted(fromUtf8(bytes.subarray(0, 64)));
}

export function quoted(text: string): string {
  return `"${text.slice(0, 64).replace(/\r/g, '\\r').replace(/\n/g, '\\n')}"`;
}
