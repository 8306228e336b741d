import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type AuditEntry, AuditLog, brokenLink, type NewAuditEntry } from './audit-log.ts';

const BEGIN = '0'.repeat(64);
let directory: string;
let wallMs: number;
let told: AuditEntry[];
let troubles: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'piru-'));
  wallMs = 1_795_370_400_000;
  told = [];
  troubles = [];
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function auditLog(into = join(directory, 'state')): AuditLog {
  return new AuditLog({
    directory: into,
    wallMs: () => wallMs,
    onEntry: (entry) => told.push(entry),
    onTrouble: (text) => troubles.push(text),
  });
}

function entry(changes: Partial<NewAuditEntry> = {}): NewAuditEntry {
  const action = 'POST /v1/role';
  return { who: 'root', from: 'pulse.sock', action, result: 'done', detail: 'x', ...changes };
}

function lines(name = 'audit.jsonl'): readonly string[] {
  return readFileSync(join(directory, 'state', name), 'utf8')
    .trim()
    .split('\n');
}

test('each line holds the hash of the one before, over restarts, too', () => {
  const log = auditLog();
  log.add(entry({ detail: 'one' }));
  log.add(entry({ detail: 'two' }));
  auditLog().add(entry({ detail: 'three' }));
  assert.equal(lines().length, 3);
  assert.equal(brokenLink(lines(), BEGIN), undefined);
  assert.deepEqual(
    told.map(({ detail }) => detail),
    ['one', 'two', 'three'],
  );
  assert.equal(statSync(join(directory, 'state')).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, 'state', 'audit.jsonl')).mode & 0o777, 0o600);
});

describe('shows where somebody', () => {
  const changed = (change: (all: string[]) => void): number | undefined => {
    const log = auditLog();
    for (const detail of ['one', 'two', 'three', 'four']) log.add(entry({ detail }));
    const all = [...lines()];
    change(all);
    return brokenLink(all, BEGIN);
  };

  test('changed a line', () => {
    assert.equal(
      changed((all) => all.splice(1, 1, all[1]?.replace('two', 'owt') ?? '')),
      2,
    );
  });

  test('took one out', () => {
    assert.equal(
      changed((all) => all.splice(1, 1)),
      1,
    );
  });

  test('put one in', () => {
    assert.equal(
      changed((all) => all.splice(1, 0, all[0] ?? '')),
      1,
    );
  });

  test('took the first one', () => {
    assert.equal(
      changed((all) => all.shift()),
      0,
    );
  });

  test('wrote what is none', () => {
    assert.equal(
      changed((all) => all.splice(2, 1, 'x')),
      2,
    );
  });
});

test('a line that was cut off by a stop of the machine does not swallow the next', () => {
  auditLog().add(entry({ detail: 'one' }));
  appendFileSync(join(directory, 'state', 'audit.jsonl'), '{"at":"2026');
  const log = auditLog();
  log.add(entry({ detail: 'two' }));
  assert.equal(lines().length, 3);
  assert.deepEqual(
    log.recent(10).map(({ detail }) => detail),
    ['one', 'two'],
  );
});

test('a flood of denied attempts is counted, and told with the next entry', () => {
  const log = auditLog();
  for (let number = 0; number < 1000; number++) log.add(entry({ result: 'denied' }));
  assert.equal(lines().length, 20);
  log.add(entry({ detail: 'done' }));
  assert.match(lines().at(-1) ?? '', /done; 980 more denied attempts before this line/);
  assert.deepEqual(
    [...(log.totals.get('POST /v1/role') ?? [])],
    [
      ['denied', 1000],
      ['done', 1],
    ],
  );
  wallMs += 60_000;
  log.add(entry({ result: 'denied', detail: 'next minute' }));
  assert.match(lines().at(-1) ?? '', /"next minute"/);
  assert.equal(brokenLink(lines(), BEGIN), undefined);
});

test('a full file is put aside, the chain goes on, and only ten are kept', () => {
  const log = auditLog();
  const detail = 'x'.repeat(500);
  for (let number = 0; number < 70_000; number++) log.add(entry({ detail }));
  const names = readdirSync(join(directory, 'state')).sort();
  assert.equal(names.length, 10);
  assert.ok(names.includes('audit.jsonl') && names.includes('audit.jsonl.9'));
  const whole = [...lines('audit.jsonl.2'), ...lines('audit.jsonl.1'), ...lines()];
  assert.equal(brokenLink(whole), undefined);
  assert.equal(log.recent(1000).length, 1000);
});

test('a place that cannot be written stops nothing and is told', () => {
  writeFileSync(join(directory, 'file'), '');
  const log = auditLog(join(directory, 'file'));
  log.add(entry({ detail: 'a takeover on a full disk' }));
  assert.equal(told[0]?.detail, 'a takeover on a full disk');
  assert.match(troubles[0] ?? '', /^audit log .*audit\.jsonl: .*\(audit-lost\)$/);
  assert.deepEqual(auditLog(join(directory, 'none')).recent(5), []);
});

test('half a line that a full disk took goes again, and the chain goes on', () => {
  const log = auditLog();
  log.add(entry({ detail: 'one' }));
  const { size } = statSync(join(directory, 'state', 'audit.jsonl'));
  limitFiles(`${size + 50}`);
  log.add(entry({ detail: 'on a full disk' }));
  limitFiles('unlimited');
  assert.match(troubles[0] ?? '', /\(audit-lost\)$/);
  log.add(entry({ detail: 'two' }));
  assert.equal(brokenLink(lines(), BEGIN), undefined);
  assert.deepEqual(
    log.recent(10).map(({ detail }) => detail),
    ['one', 'two'],
  );
});

/** No file of this process grows beyond that: as on a full disk, a write takes what there is room for, then none. */
function limitFiles(bytes: string): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:`]);
  assert.equal(status, 0, String(stderr));
}
