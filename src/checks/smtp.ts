/**
 * The smtp dialogue: banner 220, our EHLO, 250, and QUIT, so that the server's log shows a client that took its leave.
 * Limits: lines of 1 KiB (twice RFC 5321 §4.5.3.1.5), 8 KiB in all. Source: RFC 5321 §3.1, §4.2.
 */
import { fromUtf8, utf8 } from '../base/index.ts';
import { down, UP, type Verdict } from '../model/index.ts';
import { type Dialogue, quoted, type Reply, type Script } from './dialogue.ts';

const MAX_LINE = 1024;
const MAX_TOTAL = 8 * 1024;
const QUIT = utf8('QUIT\r\n');

export function smtpScript(helo: string): Script {
  if (!/^[\x21-\x7e]{1,255}$/.test(helo)) return down('bad-check', 'smtp_helo is no host name');
  const hello = utf8(`EHLO ${helo}\r\n`);
  return () => new SmtpDialogue(hello);
}

class SmtpDialogue implements Dialogue {
  readonly #hello: Uint8Array;
  #wish: '220' | '250' = '220';
  #text = '';
  #total = 0;

  constructor(hello: Uint8Array) {
    this.#hello = hello;
  }

  get awaits(): string {
    return this.#wish === '220' ? 'the banner 220' : 'an answer 250 to EHLO';
  }

  receive(bytes: Uint8Array): Reply {
    this.#total += bytes.length;
    if (this.#total > MAX_TOTAL) return down('answer-too-long', `more than ${MAX_TOTAL} bytes`);
    this.#text += fromUtf8(bytes);
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end).replace(/\r$/, '');
      this.#text = this.#text.slice(end + 1);
      const reply = this.#line(line);
      if (reply !== undefined) return reply;
    }
    if (this.#text.length > MAX_LINE) return down('answer-too-long', 'an endless line');
    return undefined;
  }

  end(): Verdict {
    return down('closed', `before ${this.awaits}`);
  }

  #line(line: string): Reply {
    // `250-` goes on, `250 ` and a bare `250` end the answer.
    const match = /^(\d{3})([- ]|$)/.exec(line);
    if (match?.[1] !== this.#wish) {
      return down('wrong-answer', `${quoted(line)} instead of ${this.#wish}`);
    }
    if (match[2] === '-') return undefined;
    if (this.#wish === '250') return { say: QUIT, verdict: UP };
    this.#wish = '250';
    // What it said before our EHLO cannot answer it.
    this.#text = '';
    return { say: this.#hello };
  }
}
