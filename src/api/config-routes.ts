/** Routes about the configuration: what runs, what a text would mean, a change on one node or both, its history. */
import * as v from 'valibot';
import { err, ok } from '../base/index.ts';
import { type ChangeProblem, VERSION_STATES } from '../director/index.ts';
import type { Problem } from './problem.ts';
import { type Asked, document, jsonRoute, type Route } from './route.ts';
import { at, version } from './schemas.ts';

/** 10,000 VIPs. */
const LONGEST_CONFIG = 1024 * 1024;
/** JSON of it may be longer than the text. */
const LONGEST_BODY = 2 * LONGEST_CONFIG;
const CONFIRM = 'confirmMs is 1000 to 3600000 milliseconds';

const text = v.pipe(v.string(), v.maxLength(LONGEST_CONFIG, 'the text is longer than 1 MiB'));
const serial = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2_147_483_647));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const words = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^[ -~\u00a0-\uffff]*$/, 'no control characters here'),
);
const flag = v.exactOptional(v.boolean());
const confirmMs = v.exactOptional(
  v.pipe(v.number(), v.minValue(1000, CONFIRM), v.maxValue(3_600_000, CONFIRM)),
);

const pending = v.strictObject({
  serial,
  author: v.string(),
  reason: v.string(),
  untilWallMs: v.number(),
  isBoth: v.boolean(),
});
const about = v.strictObject({
  serial,
  at,
  author: v.string(),
  reason: v.string(),
  digest: v.string(),
  state: v.picklist(VERSION_STATES),
  size: count,
});
const applied = v.strictObject({
  v: version,
  digest: v.string(),
  serial,
  steps: v.array(v.string()),
  pending: v.exactOptional(pending),
});
const done = v.strictObject({ v: version, version: about });
const undone = v.strictObject({ ...done.entries, steps: v.array(v.string()) });

export const CONFIG_ROUTES: readonly Route[] = [
  jsonRoute({
    method: 'GET',
    path: '/v1/config',
    summary:
      'The configuration file, its digest (the ETag of a change), and the change that waits.',
    right: 'look',
    answer: v.strictObject({
      v: version,
      file: v.string(),
      text: v.string(),
      digest: v.string(),
      runningDigest: v.string(),
      serialNo: count,
      pending: v.exactOptional(pending),
    }),
    handle: ({ changes }) => {
      const config = changes.config();
      if (!config.ok) return refused(config.error);
      return { ...config, headers: { etag: `"${config.value.digest}"` } };
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/config/check',
    summary:
      'Judges a text for this machine; answers with its problems, bad or not, and changes nothing.',
    right: 'look',
    isForPartner: true,
    isAudited: false,
    longestBody: LONGEST_BODY,
    body: v.strictObject({ text }),
    answer: v.strictObject({
      v: version,
      digest: v.string(),
      problems: v.array(
        v.strictObject({
          severity: v.picklist(['error', 'warning']),
          line: count,
          column: count,
          text: v.string(),
        }),
      ),
    }),
    handle: ({ changes }, { body }) => ok(changes.check(body.text)),
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/config/diff',
    summary:
      'What a text (or version, or this file) changes against what runs here or on the partner: as text and in sentences.',
    right: 'look',
    isAudited: false,
    longestBody: LONGEST_BODY,
    body: v.strictObject({
      text: v.exactOptional(text),
      serial: v.exactOptional(serial),
      against: v.exactOptional(v.picklist(['running', 'partner'])),
    }),
    answer: v.strictObject({ v: version, text: v.string(), meaning: v.array(v.string()) }),
    handle: async ({ changes }, { body }) => {
      const old = body.serial === undefined ? undefined : changes.version(body.serial);
      if (old?.ok === false) return refused(old.error);
      const wanted = old?.value.text ?? body.text;
      const diff = await changes.diff(wanted, body.against ?? 'running');
      return diff.ok ? diff : refused(diff.error);
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/config/apply',
    summary:
      'Puts a text in force, on both nodes with `isBoth`; with `confirmMs` it goes back unless it is confirmed in time. Wants If-Match.',
    right: 'change',
    isForPartner: true,
    longestBody: LONGEST_BODY,
    body: v.strictObject({
      text,
      confirmMs,
      isBoth: flag,
      author: v.exactOptional(words),
      reason: v.exactOptional(words),
      isVerbatim: flag,
      isHalf: flag,
    }),
    detail: ({ text: whole, confirmMs: wait, isBoth, author, reason }) =>
      `${whole.length} characters${isBoth === true ? ', both nodes' : ''}` +
      `${wait === undefined ? '' : `, to confirm in ${wait} ms`}` +
      `${author === undefined ? '' : `, author ${author}`}${reason === undefined ? '' : `, reason ${reason}`}`,
    answer: applied,
    handle: async ({ changes }, { body, caller, headers }) => {
      const ifMatch = ifMatchOf(headers);
      if (ifMatch === undefined) return err(IF_MATCH_WANTED);
      const isPartner = caller.role === 'partner';
      if (isPartner && body.isBoth === true) return err(NOT_FOR_PARTNER);
      const request = {
        text: body.text,
        ifMatch,
        author: nameOf(body.author, caller),
        reason: body.reason ?? '',
        isVerbatim: body.isVerbatim === true,
        isPair: isPartner && body.isHalf === true,
        ...(body.confirmMs !== undefined && { confirmMs: body.confirmMs }),
      };
      const outcome = await changes.apply(request, body.isBoth === true);
      if (!outcome.ok) return refused(outcome.error);
      const headersOfAnswer = { etag: `"${outcome.value.digest}"` };
      return { ...document(outcome.value), headers: headersOfAnswer };
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/config/confirm',
    summary: 'Keeps the change that waits; on both nodes when it was made on both.',
    right: 'operate',
    isForPartner: true,
    body: v.strictObject({ isHalf: flag }),
    answer: done,
    handle: async ({ changes }, { caller }) => {
      const kept = await changes.confirm(caller.who, caller.role === 'partner');
      return kept.ok ? document({ version: kept.value }) : refused(kept.error);
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/config/rollback',
    summary:
      'Undoes the change that waits; with `serial`, puts that version of the history in force again, as a change like any other.',
    right: 'change',
    isForPartner: true,
    body: v.strictObject({
      serial: v.exactOptional(serial),
      confirmMs,
      isBoth: flag,
      author: v.exactOptional(words),
      reason: v.exactOptional(words),
      isHalf: flag,
    }),
    answer: v.union([undone, applied]),
    handle: async ({ changes }, { body, caller }) => {
      const isPartner = caller.role === 'partner';
      if (isPartner && body.isBoth === true) return err(NOT_FOR_PARTNER);
      if (body.serial === undefined) {
        const outcome = await changes.undo(caller.who, isPartner);
        return outcome.ok ? document(outcome.value) : refused(outcome.error);
      }
      const old = changes.version(body.serial);
      if (!old.ok) return refused(old.error);
      const config = changes.config();
      if (!config.ok) return refused(config.error);
      const request = {
        text: old.value.text,
        ifMatch: config.value.digest,
        author: nameOf(body.author, caller),
        reason: body.reason ?? `back to version ${body.serial}`,
        isVerbatim: false,
        isPair: false,
        ...(body.confirmMs !== undefined && { confirmMs: body.confirmMs }),
      };
      const outcome = await changes.apply(request, body.isBoth === true);
      return outcome.ok ? document(outcome.value) : refused(outcome.error);
    },
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/config/history',
    summary:
      'The last versions of the configuration, newest first: who, when, why, and what became of them.',
    right: 'look',
    answer: v.strictObject({ v: version, versions: v.array(about) }),
    handle: ({ changes }) => {
      const history = changes.history();
      return history.ok ? document({ versions: history.value }) : refused(history.error);
    },
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/config/history/{serial}',
    summary: 'One version of the history, with its text.',
    right: 'look',
    answer: v.strictObject({ v: version, ...about.entries, text: v.string() }),
    handle: ({ changes }, { params }) => {
      const wanted = params.get('serial') ?? '';
      const found = changes.version(/^\d{1,10}$/.test(wanted) ? Number(wanted) : -1);
      if (!found.ok) return refused(found.error);
      return document({ ...found.value.about, text: found.value.text });
    },
  }),
];

const IF_MATCH_WANTED: Problem = {
  reason: 'if-match-wanted',
  title: 'If-Match is wanted: the digest of the configuration that this change was made from',
};
const NOT_FOR_PARTNER: Problem = {
  reason: 'not-allowed',
  title: 'the partner does its half of a change, it does not order both',
};

/** Of a person the name that he gives, beside who he is by the kernel's word. */
function nameOf(author: string | undefined, { who }: Asked['caller']): string {
  return author === undefined || author === '' ? who : author;
}

function ifMatchOf(headers: Asked['headers']): string | undefined {
  return /^"([0-9a-f]+)"$/.exec(headers['if-match'] ?? '')?.[1];
}

function refused({ reason, title, lines }: ChangeProblem) {
  const problem: Problem = { reason, title, ...(lines !== undefined && { lines }) };
  return err(problem);
}
