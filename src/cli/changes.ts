/**
 * `piranha diff`, `apply`, `confirm`, `rollback`, `history`, `push`, `pull`: changes of the configuration, asked of the
 * director of this machine, and through its courier of the partner's. The director judges, installs and undoes; here are
 * only words and exit codes.
 */
import { readFileSync } from 'node:fs';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { systemErrorText } from '../director/index.ts';
import {
  askDirector,
  type DirectorAnswer,
  directoryOf,
  silenceText,
  titleOf,
  type WhichNode,
} from './ask-director.ts';
import { APPLY, DIFF, PULL, PUSH, ROLLBACK } from './change-verbs.ts';
import { ASKING, DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

/** A change on both waits for two kernels. */
const LIMIT_MS: Milliseconds = 25_000;
const DIFFERS = 1;
const FAILED = 2;

type Fields = ReadonlyMap<string, unknown>;
type Question = {
  readonly path: string;
  readonly body?: object;
  readonly ifMatch?: string;
  readonly node?: WhichNode;
};

export const diffCommand = withOptions(
  'diff',
  DIFF,
  async ({ flags, values, rest }) => {
    const [file, ...more] = rest;
    if (more.length > 0) return misuse('diff', `unexpected argument ${more[0]}`);
    const serial = values.get('serial');
    if (file === undefined && serial === undefined && !flags.has('partner')) {
      return misuse('diff', 'which file? or --partner, or --serial N');
    }
    const text = file === undefined ? undefined : readText(file);
    if (text?.ok === false) return fail('diff', text.error, flags, FAILED);
    const body = {
      ...(text !== undefined && { text: text.value }),
      ...(serial !== undefined && { serial: Number(serial) }),
      against: flags.has('partner') ? 'partner' : 'running',
    };
    const diff = await ask(values, { path: '/v1/config/diff', body });
    if (!diff.ok) return fail('diff', diff.error, flags, FAILED);
    if (flags.has('json')) sayJson(Object.fromEntries(diff.value));
    else printDiff(diff.value);
    return diff.value.get('text') === '' ? 0 : DIFFERS;
  },
  true,
);

export const applyCommand = withOptions(
  'apply',
  APPLY,
  async ({ flags, values, rest }) => {
    const [file, ...more] = rest;
    if (file === undefined) return misuse('apply', 'which file?');
    if (more.length > 0) return misuse('apply', `unexpected argument ${more[0]}`);
    const confirmMs = confirmTime(values.get('confirm'));
    if (!confirmMs.ok) return misuse('apply', confirmMs.error);
    const text = readText(file);
    if (!text.ok) return fail('apply', text.error, flags);
    const diff = await ask(values, { path: '/v1/config/diff', body: { text: text.value } });
    if (!diff.ok) return fail('apply', diff.error, flags);
    if (flags.has('dryRun')) return dryRun(values, diff.value, text.value, flags);
    const ifMatch = await digestOf(values, 'own');
    if (!ifMatch.ok) return fail('apply', ifMatch.error, flags);
    const body = { text: text.value, ...about(values), ...confirmMs.value, ...both(flags) };
    const done = await ask(values, {
      path: '/v1/config/apply',
      body,
      ifMatch: values.get('ifMatch') ?? ifMatch.value,
    });
    if (!done.ok) return fail('apply', done.error, flags);
    if (!flags.has('json')) printMeaning(diff.value);
    return told(done.value, flags.has('json'));
  },
  true,
);

export const confirmCommand = withOptions('confirm', ASKING, async ({ flags, values }) => {
  const kept = await ask(values, { path: '/v1/config/confirm', body: {} });
  if (!kept.ok) return fail('confirm', kept.error, flags);
  return told(kept.value, flags.has('json'), 'kept');
});

export const rollbackCommand = withOptions(
  'rollback',
  ROLLBACK,
  async ({ flags, values, rest }) => {
    const [serial, ...more] = rest;
    if (more.length > 0 || !/^\d{1,10}$/.test(serial ?? '0')) {
      return misuse('rollback', 'one version of piranha history, or none');
    }
    const confirmMs = confirmTime(values.get('confirm'));
    if (!confirmMs.ok) return misuse('rollback', confirmMs.error);
    const change = { ...about(values), ...confirmMs.value, ...both(flags) };
    const body = serial === undefined ? {} : { serial: Number(serial), ...change };
    const done = await ask(values, { path: '/v1/config/rollback', body });
    if (!done.ok) return fail('rollback', done.error, flags);
    return told(done.value, flags.has('json'), 'in force again');
  },
  true,
);

export const historyCommand = withOptions(
  'history',
  ASKING,
  async ({ flags, values, rest }) => {
    const [serial] = rest;
    const path = serial === undefined ? '' : `/${encodeURIComponent(serial)}`;
    const history = await ask(values, { path: `/v1/config/history${path}` });
    if (!history.ok) return fail('history', history.error, flags);
    if (flags.has('json')) sayJson(Object.fromEntries(history.value));
    else if (serial !== undefined) process.stdout.write(String(history.value.get('text')));
    else say(historyText(history.value.get('versions')));
    return 0;
  },
  true,
);

export const pushCommand = withOptions('push', PUSH, async ({ flags, values }) => {
  const here = await ask(values, { path: '/v1/config' });
  if (!here.ok) return fail('push', here.error, flags);
  const there = await digestOf(values, 'partner');
  if (!there.ok) return fail('push', there.error, flags);
  const body = { text: here.value.get('text'), ...about(values), isVerbatim: true };
  const question = {
    path: '/v1/config/apply',
    body,
    ifMatch: there.value,
    node: 'partner',
  } as const;
  const done = await ask(values, question);
  if (!done.ok) return fail('push', done.error, flags);
  // What the partner's daemon reads back counts, not what was sent.
  const runs = await digestOf(values, 'partner');
  if (!runs.ok) return fail('push', runs.error, flags);
  if (runs.value !== here.value.get('digest')) {
    return fail('push', { title: `the partner runs ${runs.value} afterwards`, lines: [] }, flags);
  }
  if (!flags.has('json')) say(`both nodes run ${runs.value}`);
  return told(done.value, flags.has('json'));
});

export const pullCommand = withOptions('pull', PULL, async ({ flags, values }) => {
  const confirmMs = confirmTime(values.get('confirm'));
  if (!confirmMs.ok) return misuse('pull', confirmMs.error);
  const there = await ask(values, { path: '/v1/config', node: 'partner' });
  if (!there.ok) return fail('pull', there.error, flags);
  const ifMatch = await digestOf(values, 'own');
  if (!ifMatch.ok) return fail('pull', ifMatch.error, flags);
  const text = there.value.get('text');
  const body = { text, ...about(values), ...confirmMs.value, isVerbatim: true };
  const done = await ask(values, { path: '/v1/config/apply', body, ifMatch: ifMatch.value });
  if (!done.ok) return fail('pull', done.error, flags);
  return told(done.value, flags.has('json'));
});

type Values = ReadonlyMap<string, string>;
type Refusal = { readonly title: string; readonly lines: readonly string[] };

async function ask(values: Values, question: Question): Promise<Result<Fields, Refusal>> {
  const { path, body, ifMatch, node = 'own' } = question;
  const directory = directoryOf(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY, node);
  const headers = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch.replaceAll('"', '')}"` };
  const answer = await askDirector(directory, path, body, LIMIT_MS, headers);
  if (!answer.ok) return err({ title: silenceText(answer.error, node), lines: [] });
  if (answer.value.code >= 400) return err(refusalOf(answer.value));
  return ok(new Map<string, unknown>(Object.entries(answer.value.document)));
}

function refusalOf(answer: DirectorAnswer): Refusal {
  const lines = new Map<string, unknown>(Object.entries(answer.document)).get('lines');
  return { title: titleOf(answer), lines: Array.isArray(lines) ? lines.map(String) : [] };
}

async function digestOf(values: Values, node: WhichNode): Promise<Result<string, Refusal>> {
  const config = await ask(values, { path: '/v1/config', node });
  return config.ok ? ok(String(config.value.get('digest'))) : config;
}

/** Each line of a refused file first, so that an editor can jump to it. */
function fail(
  verb: string,
  refusal: Refusal | string,
  flags: ReadonlySet<string>,
  code = 1,
): number {
  const { title, lines } = typeof refusal === 'string' ? { title: refusal, lines: [] } : refusal;
  if (flags.has('json')) sayJson({ v: 1, refused: title, lines });
  else process.stderr.write([...lines, `piranha ${verb}: ${title}`, ''].join('\n'));
  return code;
}

function told(fields: Fields, isJson: boolean, word = ''): number {
  if (isJson) {
    sayJson(Object.fromEntries(fields));
    return 0;
  }
  const version = fields.get('version');
  const steps = fields.get('steps');
  if (typeof version === 'object' && version !== null && 'serial' in version) {
    say(`version ${String(version.serial)} is ${word}`);
  }
  if (Array.isArray(steps)) say(steps.join('\n'));
  const pending = fields.get('pending');
  if (typeof pending === 'object' && pending !== null && 'untilWallMs' in pending) {
    const leftS = Math.round((Number(pending.untilWallMs) - Date.now()) / 1000);
    say(`goes back in ${leftS} s unless you type: piranha confirm`);
  }
  return 0;
}

async function dryRun(
  values: Values,
  diff: Fields,
  text: string,
  flags: ReadonlySet<string>,
): Promise<number> {
  const check = await ask(values, { path: '/v1/config/check', body: { text } });
  if (!check.ok) return fail('apply', check.error, flags);
  if (flags.has('json')) {
    sayJson({ ...Object.fromEntries(check.value), ...Object.fromEntries(diff) });
  } else printDiff(diff);
  const problems = check.value.get('problems');
  const errors = (Array.isArray(problems) ? problems : []).filter((problem: unknown) =>
    JSON.stringify(problem).includes('"severity":"error"'),
  );
  return errors.length === 0 ? 0 : 1;
}

function printDiff(diff: Fields): void {
  printMeaning(diff);
  const text = String(diff.get('text'));
  if (text !== '') say(`\n${text}`);
}

function printMeaning(diff: Fields): void {
  const meaning = diff.get('meaning');
  if (Array.isArray(meaning)) say(meaning.join('\n'));
}

function historyText(versions: unknown): string {
  if (!Array.isArray(versions) || versions.length === 0) return 'no change was made yet';
  const rows = versions.map((version: unknown): readonly string[] => {
    const known = { serial: 0, at: '', author: '', reason: '', state: '', digest: '' };
    const { serial, at, author, reason, state, digest } = Object.assign(known, version);
    return [String(serial), at.slice(0, 19), state, digest.slice(0, 8), author, reason];
  });
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((word, column) => word.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Who asks: the person behind sudo rather than root. */
function about(values: Values): object {
  const author = values.get('author') ?? process.env.SUDO_USER ?? process.env.USER;
  const reason = values.get('reason');
  return {
    ...(author !== undefined && { author: author.slice(0, 200) }),
    ...(reason !== undefined && { reason: reason.slice(0, 200) }),
  };
}

function both(flags: ReadonlySet<string>): object {
  return flags.has('both') ? { isBoth: true } : {};
}

/** `60s`, `5m`, `60`. */
function confirmTime(text: string | undefined): Result<{ readonly confirmMs?: number }, string> {
  if (text === undefined) return ok({});
  const [, digits = '', unit = 's'] = /^(\d{1,4})(s|m)?$/.exec(text) ?? [];
  const confirmMs = Number(digits) * (unit === 'm' ? 60_000 : 1000);
  const isGood = digits !== '' && confirmMs >= 1000 && confirmMs <= 3_600_000;
  return isGood ? ok({ confirmMs }) : err('--confirm takes 1s to 60m: 60s, 5m');
}

function readText(file: string): Result<string, string> {
  try {
    return ok(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    return err(`${file} cannot be read: ${systemErrorText(error)}`);
  }
}
