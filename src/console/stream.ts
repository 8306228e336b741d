/**
 * The stream: everything a page shows, pushed over one connection, for both nodes.
 *
 *   event: status    {side, at, document}            each second
 *   event: services  {side, at, document}            first, and when the list of services has changed
 *   event: rows      {side, at, services, rest}      the services that changed (match by `key`), and what is beside them
 *   event: silent    {side, at, reason, text}        the director gave no answer: what was shown before is old
 *   event: refused   {side, at, topic, code}         it answered, and has none of this to give
 *   event: happened  {side, id, record}              one event of the director; carries an id
 *   event: gap       {side, from}                    happenings are missing here, and nobody kept them
 *   event: beat      {at, local, partner}            each second: how many milliseconds ago each node answered, or null
 *
 * A page that sees no beat for three seconds shows something old. `at` is in milliseconds by this machine's clock.
 * Ages inside documents count from `at`. An id is `local;partner`, so a stream resumes for both.
 *
 * A page that reads slowly gets newer snapshots less often, never a queue of old ones; one that does not read for half a
 * minute is cut.
 */
import type { ServerResponse } from 'node:http';
import type { Milliseconds } from '../base/index.ts';
import { type Director, SIDES, type Side } from './ask.ts';
import { type Happening, NewsSource } from './news-source.ts';
import { type News, Poll } from './poll.ts';
import { ServicesMemory } from './services-delta.ts';
import type { Session } from './sessions.ts';

const BEAT_MS: Milliseconds = 1000;
const UNREAD_MS: Milliseconds = 30_000;
export const MOST_STREAMS = 64;
/** A browser opens six connections to a host; two pages of one person fit in. */
export const MOST_OF_A_SESSION = 6;
const MOST_HAPPENINGS = 200;
/** A page that closes and opens again finds everything warm. */
const LINGER_MS: Milliseconds = 5000;

export type PerSide<T> = { readonly [side in Side]: T };

class Feed {
  readonly status: Poll;
  readonly services: Poll;
  readonly news: NewsSource;
  readonly memory = new ServicesMemory();
  answeredAt: Milliseconds | undefined;

  constructor(director: Director, tell: (happening: Happening) => void) {
    this.status = new Poll(director, '/v1/status');
    this.services = new Poll(director, '/v1/services');
    this.news = new NewsSource(director, tell);
  }
}

export class Streams {
  readonly feeds: PerSide<Feed>;
  readonly #readers = new Set<Reader>();
  /** The newest whole frame of each topic. */
  readonly #whole = new Map<string, () => Buffer>();
  #stop: (() => void) | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(directors: PerSide<Director>) {
    const feed = (side: Side) =>
      new Feed(directors[side], (happening) => this.#happened(side, happening));
    this.feeds = { local: feed('local'), partner: feed('partner') };
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Why another one is not opened; undefined: it may be. */
  refusal(session: Session): string | undefined {
    const mine = [...this.#readers].filter((reader) => reader.session === session);
    if (mine.length >= MOST_OF_A_SESSION) {
      return `more than ${MOST_OF_A_SESSION} open pages of one login`;
    }
    return this.size >= MOST_STREAMS ? `more than ${MOST_STREAMS} open pages` : undefined;
  }

  /** Headers are the caller's; from here on the response is ours. */
  open(response: ServerResponse, session: Session, lastId: string | undefined): void {
    const reader = new Reader(response, session, (topic) => this.#whole.get(topic)?.());
    const isOver = (): void => {
      if (!this.#readers.delete(reader)) return;
      session.onEnd.delete(reader.cut);
      if (this.#readers.size === 0) this.#linger = setTimeout(() => this.close(), LINGER_MS);
    };
    response.once('close', isOver);
    session.onEnd.add(reader.cut);
    this.#readers.add(reader);
    this.#start();
    response.write('retry: 1000\n\n');
    for (const topic of this.#whole.keys()) reader.show(topic, undefined);
    this.#resume(reader, lastId);
  }

  /** Ends all of them, and asks nobody any more. */
  close(): void {
    clearTimeout(this.#linger);
    for (const reader of this.#readers) reader.cut();
    this.#stop?.();
    this.#stop = undefined;
  }

  #start(): void {
    clearTimeout(this.#linger);
    if (this.#stop !== undefined) return;
    const stops = SIDES.flatMap((side) => {
      const { status, services, news } = this.feeds[side];
      news.start();
      return [
        status.watch((answer) => this.#statusCame(side, answer)),
        services.watch((answer) => this.#servicesCame(side, answer)),
        () => news.stop(),
      ];
    });
    const beat = setInterval(() => this.#beat(), BEAT_MS);
    this.#stop = () => {
      clearInterval(beat);
      for (const stop of stops) stop();
      this.#whole.clear();
    };
  }

  #statusCame(side: Side, answer: News): void {
    const topic = `status ${side}`;
    const text = this.#textOf(side, topic, answer);
    if (text === undefined) return;
    const head = `{"side":"${side}","at":${answer.wallMs},"document":`;
    this.#show(topic, () => frame('status', `${head}${text}}`));
  }

  #servicesCame(side: Side, answer: News): void {
    const topic = `services ${side}`;
    const text = this.#textOf(side, topic, answer);
    const change = this.feeds[side].memory.next(text ?? '');
    if (change === undefined) return;
    const head = `{"side":"${side}","at":${answer.wallMs}`;
    const whole = () => frame('services', `${head},"document":${text}}`);
    const wasShown = this.#whole.has(topic);
    if (change.kind === 'all' || !wasShown) {
      this.#show(topic, whole);
      return;
    }
    this.#whole.set(topic, lazily(whole));
    if (change.kind === 'none') return;
    const rows = `${head},"services":[${change.rows.join()}],"rest":${change.rest}}`;
    const part = frame('rows', rows);
    for (const reader of this.#readers) reader.show(topic, part);
  }

  /** The document on one line; undefined: there is none, and everybody was told. */
  #textOf(side: Side, topic: string, answer: News): string | undefined {
    if (!answer.ok) {
      const { reason, text } = answer.error;
      this.#show(topic, () =>
        frame('silent', JSON.stringify({ side, at: answer.wallMs, topic, reason, text })),
      );
      return undefined;
    }
    this.feeds[side].answeredAt = answer.at;
    const { code, body } = answer.value;
    const text = code === 200 ? oneLine(body) : undefined;
    if (text === undefined) {
      this.#show(topic, () =>
        frame('refused', JSON.stringify({ side, at: answer.wallMs, topic, code })),
      );
    }
    return text;
  }

  #show(topic: string, whole: () => Buffer): void {
    this.#whole.set(topic, lazily(whole));
    for (const reader of this.#readers) reader.show(topic, undefined);
  }

  #happened(side: Side, { id, text }: Happening): void {
    const bytes = frame('happened', `{"side":"${side}","id":"${id}","record":${text}}`, this.#id());
    for (const reader of this.#readers) reader.tell(bytes, side);
  }

  #id(): string {
    return SIDES.map((side) => this.feeds[side].news.lastId ?? '').join(';');
  }

  /** What was missed since `lastId`, for each node. */
  #resume(reader: Reader, lastId: string | undefined): void {
    const ids = lastId?.split(';') ?? [];
    for (const [index, side] of SIDES.entries()) {
      const from = ids[index];
      if (from === undefined || from === '') continue;
      const missed = this.feeds[side].news.after(from);
      if (missed === undefined) reader.tell(gap(side, from), side);
      for (const { id, text } of missed ?? []) {
        const data = `{"side":"${side}","id":"${id}","record":${text}}`;
        reader.tell(frame('happened', data, this.#id()), side);
      }
    }
  }

  #beat(): void {
    const now = performance.now();
    const age = (side: Side): number | null => {
      const { answeredAt } = this.feeds[side];
      return answeredAt === undefined ? null : Math.round(now - answeredAt);
    };
    const beat = { at: Date.now(), local: age('local'), partner: age('partner') };
    const bytes = frame('beat', JSON.stringify(beat));
    for (const reader of this.#readers) reader.beat(bytes, now);
  }
}

/** One page. While its connection is full nothing is queued but the names of what it has to be shown. */
class Reader {
  readonly session: Session;
  readonly #response: ServerResponse;
  readonly #whole: (topic: string) => Buffer | undefined;
  readonly #due = new Set<string>();
  #happenings: { readonly bytes: Buffer; readonly side: Side }[] = [];
  #fullSince: Milliseconds | undefined;

  constructor(
    response: ServerResponse,
    session: Session,
    whole: (topic: string) => Buffer | undefined,
  ) {
    this.session = session;
    this.#response = response;
    this.#whole = whole;
    response.on('drain', () => this.#drained());
  }

  /** `part`: enough for who has seen all before. */
  show(topic: string, part: Buffer | undefined): void {
    if (this.#fullSince !== undefined) this.#due.add(topic);
    else this.#write(part ?? this.#whole(topic));
  }

  tell(bytes: Buffer, side: Side): void {
    if (this.#fullSince === undefined) this.#write(bytes);
    else if (this.#happenings.length < MOST_HAPPENINGS) this.#happenings.push({ bytes, side });
    else this.#happenings = SIDES.map((it) => ({ bytes: gap(it, undefined), side: it }));
  }

  beat(bytes: Buffer, now: Milliseconds): void {
    if (this.#fullSince === undefined) this.#write(bytes);
    else if (now - this.#fullSince > UNREAD_MS) this.cut();
  }

  readonly cut = (): void => {
    this.#response.destroy();
  };

  #write(bytes: Buffer | undefined): void {
    if (bytes === undefined || this.#response.destroyed) return;
    if (!this.#response.write(bytes)) this.#fullSince ??= performance.now();
  }

  #drained(): void {
    this.#fullSince = undefined;
    const due = [...this.#due];
    const happenings = this.#happenings;
    this.#due.clear();
    this.#happenings = [];
    for (const topic of due) this.show(topic, undefined);
    for (const { bytes, side } of happenings) this.tell(bytes, side);
  }
}

function gap(side: Side, from: string | undefined): Buffer {
  return frame('gap', JSON.stringify({ side, ...(from !== undefined && { from }) }));
}

function frame(event: string, data: string, id?: string): Buffer {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return Buffer.from(`${head}event: ${event}\ndata: ${data}\n\n`);
}

function lazily(make: () => Buffer): () => Buffer {
  let made: Buffer | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** A director's JSON has no line feed inside; whoever sends one is not believed. */
function oneLine(body: Buffer): string | undefined {
  const text = body.toString('utf8').trim();
  return text.startsWith('{') && text.endsWith('}') && !/[\r\n]/.test(text) ? text : undefined;
}
