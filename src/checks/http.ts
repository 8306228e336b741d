/**
 * The http dialogue: one request, the status line, and the body only when something is to be found in it.
 *
 * Most checks are decided by the first line; the connection is then reset, the rest is never read. Rejected: node:http
 * (three times the processor time of this, and its parser keeps what it has not been asked for) and keep-alive (a check
 * shall see whether *new* clients are served).
 * Limits: 16 KiB of header, 64 KiB of body; the body is matched when it is complete or that much of it is there.
 * Source: RFC 9112, RFC 9110 §15.
 */
import { compileEre, concatBytes, type Ere, fromUtf8, utf8 } from '../base/index.ts';
import { down, type Procedure, type StatusRange, UP, type Verdict } from '../model/index.ts';
import { type Dialogue, quoted, type Reply, type Script, showBytes } from './dialogue.ts';

type HttpProcedure = Extract<Procedure, { readonly kind: 'http' }>;

const MAX_HEAD = 16 * 1024;
const MAX_BODY = 64 * 1024;
const MAX_CHUNK_LINE = 256;
/** Answers of the 100 class before the real one. */
const MAX_INTERIMS = 8;
const LF = 0x0a;

/** `host` stands in the Host header unless the check names another. */
export function httpScript(procedure: HttpProcedure, host: string): Script {
  const { method, path, statuses, body } = procedure;
  const site = procedure.host ?? host;
  // What would end the line early would be a request of somebody else's making.
  if (!/^[\x21-\x7e]+$/.test(path) || !/^[\x21-\x7e]+$/.test(site)) {
    return down('bad-check', 'path and host must be printable ASCII without blanks');
  }
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${site}\r\nUser-Agent: piranha\r\n`;
  const opening = utf8(`${head}Accept: */*\r\nConnection: close\r\n\r\n`);
  if (body !== undefined && method === 'HEAD')
    return down('bad-check', 'HEAD has no body to match');
  if (body === undefined) return () => new HttpDialogue(opening, statuses, undefined);
  const compiled = compileEre(body);
  if (!compiled.ok) return down('bad-check', `http_body: ${compiled.error}`);
  const wish = { ere: compiled.value, pattern: body };
  return () => new HttpDialogue(opening, statuses, wish);
}

type BodyWish = { readonly ere: Ere; readonly pattern: string };

class HttpDialogue implements Dialogue {
  readonly opening: Uint8Array;
  readonly #statuses: readonly StatusRange[];
  readonly #wish: BodyWish | undefined;
  /** Of the head until its blank line; undefined from then on. */
  #head: Uint8Array | undefined = new Uint8Array(0);
  #body: BodyReader | undefined;
  #interims = 0;

  constructor(opening: Uint8Array, statuses: readonly StatusRange[], wish: BodyWish | undefined) {
    this.opening = opening;
    this.#statuses = statuses;
    this.#wish = wish;
  }

  get awaits(): string {
    return this.#head === undefined ? 'the rest of the body' : 'a status line';
  }

  receive(bytes: Uint8Array): Reply {
    if (this.#head === undefined) return this.#receiveBody(bytes);
    const room = MAX_HEAD - this.#head.length;
    const joined = concatBytes(this.#head, bytes.subarray(0, room));
    this.#head = joined;
    return this.#receiveHead(joined, bytes.subarray(Math.min(room, bytes.length)));
  }

  end(): Verdict {
    if (this.#head !== undefined) {
      return down('closed', `after ${showBytes(this.#head)}, before the answer was complete`);
    }
    const isWhole = this.#body?.endsByClose ?? false;
    return isWhole ? this.#judgeBody() : down('closed', 'before the body was complete');
  }

  #receiveHead(head: Uint8Array, further: Uint8Array): Reply {
    const lineEnd = head.indexOf(LF);
    if (lineEnd < 0) {
      // Something that does not even begin like it need not be read to its end.
      if (!couldBeHttp(head)) return down('wrong-answer', `${showBytes(head)} is no HTTP`);
      return head.length >= MAX_HEAD
        ? down('answer-too-long', 'an endless status line')
        : undefined;
    }
    const line = fromUtf8(head.subarray(0, Math.min(lineEnd, 200))).replace(/\r$/, '');
    const status = /^HTTP\/\d\.\d (\d{3})(?: |$)/.exec(line)?.[1];
    if (status === undefined) return down('wrong-answer', `${quoted(line)} is no HTTP`);
    const code = Number(status);
    const isInterim = code >= 100 && code < 200 && code !== 101;
    if (!isInterim && !this.#statuses.some(({ from, to }) => code >= from && code <= to)) {
      return down('wrong-answer', line);
    }
    if (!isInterim && this.#wish === undefined) return UP;
    const end = endOfHead(head);
    if (end === undefined) {
      return head.length >= MAX_HEAD
        ? down('answer-too-long', `more than ${MAX_HEAD} bytes of header`)
        : undefined;
    }
    const rest = concatBytes(head.subarray(end), further);
    if (isInterim) {
      if (++this.#interims > MAX_INTERIMS) return down('wrong-answer', 'endless interim answers');
      this.#head = new Uint8Array(0);
      return rest.length === 0 ? undefined : this.receive(rest);
    }
    const reader = bodyReader(fromUtf8(head.subarray(0, end)));
    this.#body = reader;
    this.#head = undefined;
    return this.#receiveBody(rest);
  }

  #receiveBody(bytes: Uint8Array): Reply {
    const outcome = this.#body?.read(bytes);
    if (outcome === 'malformed') return down('wrong-answer', 'malformed chunks');
    return outcome === 'complete' ? this.#judgeBody() : undefined;
  }

  #judgeBody(): Verdict {
    const body = this.#body?.bytes() ?? new Uint8Array(0);
    if (this.#wish === undefined || this.#wish.ere.test(body)) return UP;
    return down('wrong-answer', `/${this.#wish.pattern}/ is not in the body ${showBytes(body)}`);
  }
}

const HTTP = utf8('HTTP/');

function couldBeHttp(head: Uint8Array): boolean {
  return HTTP.every((byte, index) => index >= head.length || head[index] === byte);
}

/** The index after the blank line; lines may end in LF alone (RFC 9112 §2.2). */
function endOfHead(head: Uint8Array): number | undefined {
  for (let at = head.indexOf(LF); at >= 0; at = head.indexOf(LF, at + 1)) {
    if (head[at + 1] === LF) return at + 2;
    if (head[at + 1] === 0x0d && head[at + 2] === LF) return at + 3;
  }
  return undefined;
}

/** Takes a body off its framing; keeps at most MAX_BODY bytes, and is complete when it has as many. */
interface BodyReader {
  readonly endsByClose: boolean;
  read(bytes: Uint8Array): 'more' | 'complete' | 'malformed';
  bytes(): Uint8Array;
}

function bodyReader(head: string): BodyReader {
  if (/^transfer-encoding:[^\n]*\bchunked\b/im.test(head)) return new ChunkedBody();
  const length = /^content-length:[ \t]*(\d{1,15})[ \t]*\r?$/im.exec(head)?.[1];
  return new PlainBody(length === undefined ? undefined : Number(length));
}

class PlainBody implements BodyReader {
  readonly endsByClose: boolean;
  readonly #kept = new Kept();
  readonly #length: number;

  constructor(length: number | undefined) {
    this.endsByClose = length === undefined;
    this.#length = Math.min(length ?? MAX_BODY, MAX_BODY);
  }

  read(bytes: Uint8Array): 'more' | 'complete' {
    this.#kept.add(bytes.subarray(0, this.#length - this.#kept.length));
    return this.#kept.length >= this.#length ? 'complete' : 'more';
  }

  bytes(): Uint8Array {
    return this.#kept.bytes();
  }
}

/** RFC 9112 §7.1. Extensions are skipped, trailers are not read. */
class ChunkedBody implements BodyReader {
  readonly endsByClose = false;
  readonly #kept = new Kept();
  /** Of a size line that is not complete yet. */
  #line = '';
  /** Bytes of the chunk that are still to come; its CRLF counts as part of the next size line. */
  #left = 0;

  read(bytes: Uint8Array): 'more' | 'complete' | 'malformed' {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const piece = bytes.subarray(at, at + this.#left);
        this.#kept.add(piece);
        this.#left -= piece.length;
        at += piece.length;
        if (this.#kept.length >= MAX_BODY) return 'complete';
        continue;
      }
      const end = bytes.indexOf(LF, at);
      const part = bytes.subarray(at, end < 0 ? bytes.length : end);
      if (this.#line.length + part.length > MAX_CHUNK_LINE) return 'malformed';
      this.#line += fromUtf8(part);
      if (end < 0) return 'more';
      at = end + 1;
      const line = this.#line.trim();
      this.#line = '';
      if (line === '' && this.#kept.length > 0) continue;
      const size = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) return 'malformed';
      this.#left = Number.parseInt(size, 16);
      if (this.#left === 0) return 'complete';
    }
    return 'more';
  }

  bytes(): Uint8Array {
    return this.#kept.bytes();
  }
}

/** At most MAX_BODY bytes, copied, so that no network buffer is kept alive. */
class Kept {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(bytes: Uint8Array): void {
    const piece = bytes.subarray(0, MAX_BODY - this.#length);
    if (this.#length + piece.length > this.#bytes.length) {
      const room = Math.min(
        MAX_BODY,
        Math.max(this.#bytes.length * 2, this.#length + piece.length),
      );
      const grown = new Uint8Array(room);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
