/**
 * Follows the events of one director (`GET /v1/events`) and keeps the last few hundred, so that a page that was away for a
 * moment gets what it missed, and is told when more was missed than is kept.
 *
 * Source: the event stream format of the HTML standard, §9.2.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Director } from './ask.ts';

/** One event as the director sent it: its id, and JSON on one line. */
export type Happening = { readonly id: string; readonly text: string };

const KEPT = 500;
const AGAIN_MS: Milliseconds = 2000;
/** The director sends a comment every two seconds; silence for longer is a broken connection. */
const SILENT_MS: Milliseconds = 7000;
const MOST_LINE = 65_536;
const ID = /^[\w.-]{1,64}$/;

export class NewsSource {
  readonly #director: Director;
  readonly #kept: Happening[] = [];
  readonly #tell: (happening: Happening) => void;
  #abort: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(director: Director, tell: (happening: Happening) => void) {
    this.#director = director;
    this.#tell = tell;
  }

  get lastId(): string | undefined {
    return this.#kept.at(-1)?.id;
  }

  /** What came after `id`; undefined: it is not known any more what that was. */
  after(id: string): readonly Happening[] | undefined {
    const index = this.#kept.findIndex((happening) => happening.id === id);
    return index < 0 ? undefined : this.#kept.slice(index + 1);
  }

  start(): void {
    if (this.#abort !== undefined) return;
    const abort = new AbortController();
    this.#abort = abort;
    void this.#follow(abort);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = undefined;
  }

  async #follow(abort: AbortController): Promise<void> {
    const since = this.lastId;
    const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}`;
    const question = { method: 'GET', path: `/v1/events${query}` };
    const opened = await this.#director.open(question, abort.signal);
    if (opened.ok && opened.value.statusCode === 200) await this.#read(opened.value, abort.signal);
    else if (opened.ok) opened.value.destroy();
    if (abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#follow(abort), AGAIN_MS);
  }

  #read(response: NodeJS.ReadableStream & { destroy(): void }, signal: AbortSignal): Promise<void> {
    const parser = new EventStreamParser((happening) => this.#take(happening));
    return new Promise((resolve) => {
      const silent = setTimeout(() => response.destroy(), SILENT_MS);
      const isOver = (): void => {
        clearTimeout(silent);
        resolve();
      };
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        silent.refresh();
        if (!parser.push(text)) response.destroy();
      });
      response.on('error', isOver);
      response.on('close', isOver);
      if (signal.aborted) response.destroy();
    });
  }

  #take(happening: Happening): void {
    this.#kept.push(happening);
    if (this.#kept.length > KEPT) this.#kept.shift();
    this.#tell(happening);
  }
}

/** Text in pieces -> events. What has no id, or data that is no JSON object, is left out. */
export class EventStreamParser {
  readonly #tell: (happening: Happening) => void;
  #rest = '';
  #id = '';
  #data: string[] = [];

  constructor(tell: (happening: Happening) => void) {
    this.#tell = tell;
  }

  /** False: a line is longer than any of ours. */
  push(text: string): boolean {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line.replace(/\r$/, ''));
    return this.#rest.length <= MOST_LINE;
  }

  #line(line: string): void {
    if (line.startsWith('id:')) this.#id = line.slice(3).trim();
    else if (line.startsWith('data:')) this.#data.push(line.slice(5).trimStart());
    else if (line === '') this.#end();
  }

  #end(): void {
    const text = this.#data.join('');
    this.#data = [];
    if (ID.test(this.#id) && isObject(text)) this.#tell({ id: this.#id, text });
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
