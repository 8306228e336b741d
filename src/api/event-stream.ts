/**
 * Events to a reader as they happen, as server-sent events: `id:` is the record's, so that a reader who comes back with
 * `Last-Event-ID` (a browser does by itself) goes on where he stopped.
 *
 * A reader is never waited for and never buffered for beyond what his socket takes: he holds a place in the event log and
 * is told of the gap when he is overtaken. One who takes nothing at all for ten seconds is cut. A comment every two seconds
 * shows him that the silence is not the network's.
 * Source: HTML Living Standard, "Server-sent events".
 */
import type { Milliseconds } from '../base/index.ts';
import type { EventLog } from '../director/index.ts';
import type { Sink } from './types.ts';

const COMMENT_MS: Milliseconds = 2000;
const PATIENCE_MS: Milliseconds = 10_000;

/** Writes to `sink` until the returned function is called. */
export function streamEvents(log: EventLog, after: string | undefined, sink: Sink): () => void {
  const reader = log.reader(after);
  let fullSince: number | undefined;
  const send = (text: string): void => {
    if (!sink.write(text)) fullSince = performance.now();
  };
  const pump = (): void => {
    while (fullSince === undefined) {
      const next = reader.read();
      if (next === undefined) return;
      send(`id: ${next.id}\ndata: ${next.json}\n\n`);
    }
  };
  sink.onRoom(() => {
    fullSince = undefined;
    pump();
  });
  const unsubscribe = log.onRecord(pump);
  const comments = setInterval(() => {
    if (fullSince === undefined) send(':\n\n');
    else if (performance.now() - fullSince > PATIENCE_MS) sink.end();
  }, COMMENT_MS);
  send(':\n\n');
  pump();
  return () => {
    clearInterval(comments);
    unsubscribe();
  };
}
