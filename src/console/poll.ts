/**
 * Poll: the newest answer of one director to one question, for everybody who watches. However many pages are open, the
 * director is asked once a second; a long answer is asked for less often, so that making it stays a small part of its
 * time. Nobody watches, nobody asks.
 */
import type { Milliseconds, Result } from '../base/index.ts';
import type { Answer, Director, Silence } from './ask.ts';

export type News = Result<Answer, Silence> & {
  /** Of the answer, by this machine's clocks. */
  readonly wallMs: number;
  readonly at: Milliseconds;
};

const EVERY_MS: Milliseconds = 1000;
/** Between two questions lies this many times what one took. */
const REST = 5;
const LONGEST_MS: Milliseconds = 15_000;
const LIMIT_MS: Milliseconds = 2500;

export class Poll {
  readonly director: Director;
  readonly path: string;
  readonly #watchers = new Set<(news: News) => void>();
  #last: News | undefined;
  #asking: Promise<News> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(director: Director, path: string) {
    this.director = director;
    this.path = path;
  }

  get last(): News | undefined {
    return this.#last;
  }

  /** Not older than a second; joins a question that is under way. */
  async fresh(): Promise<News> {
    const last = this.#last;
    if (last !== undefined && performance.now() - last.at < EVERY_MS) return last;
    return await this.#ask();
  }

  /** Calls `watcher` with each answer until it is called off. */
  watch(watcher: (news: News) => void): () => void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#schedule(0);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #schedule(afterMs: Milliseconds): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#turn(), afterMs);
  }

  async #turn(): Promise<void> {
    const startedAt = performance.now();
    await this.#ask();
    const tookMs = performance.now() - startedAt;
    if (this.#watchers.size === 0) return;
    this.#schedule(Math.min(LONGEST_MS, Math.max(EVERY_MS - tookMs, REST * tookMs)));
  }

  #ask(): Promise<News> {
    this.#asking ??= this.director
      .ask({ method: 'GET', path: this.path, limitMs: LIMIT_MS })
      .then((result) => {
        const news = { ...result, wallMs: Date.now(), at: performance.now() };
        this.#last = news;
        this.#asking = undefined;
        for (const watcher of this.#watchers) watcher(news);
        return news;
      });
    return this.#asking;
  }
}
