import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSyslog, syslogLine } from './syslog.ts';

describe('a line of the system log', () => {
  const at = new Date(2026, 10, 2, 3, 4, 5);

  test('has priority, time with a padded day, ident and pid', () => {
    assert.equal(
      syslogLine('pulse[17]', 'partner dead', at),
      '<30>Nov  2 03:04:05 pulse[17]: partner dead',
    );
  });

  test('is one line and not endless', () => {
    assert.equal(syslogLine('pulse[17]', 'one\ntwo', at), '<30>Nov  2 03:04:05 pulse[17]: one two');
    assert.equal(syslogLine('p', 'x'.repeat(5000), at).length < 1024, true);
  });
});

test('lines arrive at a datagram socket, as journald has one', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'pird-'));
  const path = join(directory, 'log');
  const told = join(directory, 'told');
  const words = ['-u', `UNIX-RECV:${path}`, `CREATE:${told}`];
  const receiver = spawn('socat', words, { stdio: 'ignore' });
  const hasFailed = new Promise<boolean>((resolve) => receiver.once('error', () => resolve(true)));
  try {
    if (await Promise.race([hasFailed, sleep(50)])) return t.skip('needs socat');
    for (let turn = 0; turn < 100 && !existsSync(path); turn++) await sleep(20);
    const syslog = openSyslog('pulse', 17, path);
    assert.ok(syslog.ok);
    assert.equal(syslog.value.write('partner dead', Date.now()), undefined);
    syslog.value.close();
    const text = () => (existsSync(told) ? readFileSync(told, 'utf8') : '');
    for (let turn = 0; turn < 100 && text() === ''; turn++) await sleep(20);
    assert.match(text(), /^<30>\w{3} [ \d]\d \d\d:\d\d:\d\d pulse\[17\]: partner dead$/);
  } finally {
    receiver.kill();
    rmSync(directory, { recursive: true });
  }
});

test('a machine without a log says so', () => {
  const syslog = openSyslog('pulse', 17, '/nonexistent/log');
  assert.equal(syslog.ok ? 'open' : syslog.error.code, 'ENOENT');
});
