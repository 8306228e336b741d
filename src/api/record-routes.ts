/** Routes about what happened: events, live and read back, the audit log, and the flight recordings. */
import { join } from 'node:path';
import * as v from 'valibot';
import { err, ok } from '../base/index.ts';
import { listIncidents, readIncident, SINCE, sinceOf } from '../director/index.ts';
import { streamEvents } from './event-stream.ts';
import { document, jsonRoute, type Route, streamRoute, textRoute } from './route.ts';
import { auditEntry, event, incident, version } from './schemas.ts';

const LIMIT = 'limit is a number from 1 to 1000';
const limit = v.exactOptional(
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,3}$/, LIMIT),
    v.transform(Number),
    v.maxValue(1000, LIMIT),
  ),
);
const DEFAULT_LIMIT = 100;
const PLACE = 'since (or last-event-id) is the id of a record: 1795370400000.17';
const place = v.optional(v.pipe(v.string(), v.regex(/^\d{1,16}\.\d{1,16}$/, PLACE)));
const MOMENT = 'since is the id of a record (1795370400000.17) or a moment (2026-11-22T18:00:00Z)';
const since = v.exactOptional(v.pipe(v.string(), v.regex(SINCE, MOMENT)));

export const RECORD_ROUTES: readonly Route[] = [
  streamRoute({
    method: 'GET',
    path: '/v1/events',
    summary:
      'What happens from now on, or after the record `since` (or the header last-event-id), as server-sent events; a gap is a record, too.',
    right: 'look',
    query: v.strictObject({ since: place }),
    record: event,
    handle: ({ events }, { query, headers }) => {
      const after = v.safeParse(place, query.since ?? headers['last-event-id']);
      if (!after.success) return err({ reason: 'bad-request', title: PLACE });
      return ok((sink) => streamEvents(events, after.output, sink));
    },
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/events/recent',
    summary:
      'The last records, oldest first; with `since` only those after the record of this id, or from this moment on.',
    right: 'look',
    query: v.strictObject({ limit, since }),
    answer: v.strictObject({ v: version, events: v.array(event) }),
    handle: ({ events }, { query }) => {
      if (query.since === undefined) {
        return document({ events: events.recent(query.limit ?? DEFAULT_LIMIT) });
      }
      const isMeant = sinceOf(query.since);
      if (isMeant === undefined) return err({ reason: 'bad-request', title: MOMENT });
      return document({ events: events.recent(query.limit ?? DEFAULT_LIMIT, isMeant) });
    },
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who asked for which change and what came of it, oldest first.',
    right: 'look',
    query: v.strictObject({ limit }),
    answer: v.strictObject({ v: version, entries: v.array(auditEntry) }),
    handle: ({ audit }, { query }) =>
      document({ entries: audit.recent(query.limit ?? DEFAULT_LIMIT) }),
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/incidents',
    summary: 'The flight recordings of this node, newest first.',
    right: 'look',
    answer: v.strictObject({ v: version, incidents: v.array(incident) }),
    handle: ({ runDirectory }) =>
      document({ incidents: listIncidents(join(runDirectory, 'incidents')) }),
  }),
  textRoute({
    method: 'GET',
    path: '/v1/incidents/{id}',
    summary: 'One recording, as `piranha replay` reads it.',
    right: 'look',
    type: 'application/jsonl',
    handle: ({ runDirectory }, { params }) => {
      const text = readIncident(join(runDirectory, 'incidents'), params.get('id') ?? '');
      if (text !== undefined) return ok(text);
      return err({
        reason: 'no-such-resource',
        title: `no incident is called ${params.get('id')}`,
      });
    },
  }),
];
