import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventLog, type EventReader, sinceOf } from './event-log.ts';

const FIRST_LIFE = 1_795_370_400_000;

function eventLog(incarnation = FIRST_LIFE): EventLog {
  return new EventLog({ node: 'primary', incarnation, wallMs: () => 1_795_370_400_123 });
}

function read(reader: EventReader): readonly { readonly [name: string]: unknown }[] {
  const found = [];
  for (let next = reader.read(); next !== undefined; next = reader.read()) {
    found.push(JSON.parse(next.json));
    assert.equal(found.at(-1)?.id, next.id);
  }
  return found;
}

describe('a record', () => {
  test('carries id, time, node and the reason word that its line ends in', () => {
    const log = eventLog();
    const record = log.add({ kind: 'partner', text: 'partner heard (partner-heard)' });
    assert.deepEqual(record, {
      id: `${FIRST_LIFE}.1`,
      at: '2026-11-22T18:00:00.123Z',
      node: 'primary',
      kind: 'partner',
      text: 'partner heard (partner-heard)',
      reason: 'partner-heard',
    });
  });

  test('finds the word before what a probe saw, and none where there is none', () => {
    const log = eventLog();
    const text = '[inactive] shutting down a due to connection failure (timeout): tcp (x) y';
    assert.equal(log.add({ kind: 'server', text }).reason, 'timeout');
    assert.equal(log.add({ kind: 'config', text: 'rereading (serial_no 7)' }).reason, undefined);
  });

  test('of a kernel’s long complaint is cut', () => {
    assert.equal(eventLog().add({ kind: 'trouble', text: 'x'.repeat(5000) }).text.length, 1000);
  });
});

describe('a reader', () => {
  test('without a place hears what comes, and nothing twice', () => {
    const log = eventLog();
    log.add({ kind: 'start', text: 'before' });
    const reader = log.reader();
    assert.deepEqual(read(reader), []);
    log.add({ kind: 'start', text: 'after' });
    assert.deepEqual(
      read(reader).map(({ text }) => text),
      ['after'],
    );
    assert.deepEqual(read(reader), []);
  });

  test('goes on after the record that he names', () => {
    const log = eventLog();
    for (const text of ['one', 'two', 'three']) log.add({ kind: 'start', text });
    const texts = (after: string) => read(log.reader(after)).map(({ text }) => text);
    assert.deepEqual(texts(`${FIRST_LIFE}.1`), ['two', 'three']);
    assert.deepEqual(texts(`${FIRST_LIFE}.3`), []);
  });

  test('from an earlier life is told of a gap, then everything of this one', () => {
    const log = eventLog(FIRST_LIFE + 5);
    log.add({ kind: 'start', text: 'one' });
    const [gap, one, ...more] = read(log.reader(`${FIRST_LIFE}.900`));
    assert.equal(gap?.kind, 'gap');
    assert.equal(gap?.from, `${FIRST_LIFE}.900`);
    assert.equal(gap?.to, `${FIRST_LIFE + 5}.0`);
    assert.equal(one?.text, 'one');
    assert.deepEqual(more, []);
  });

  test('that names a record which is not there yet reads from the beginning, after a gap', () => {
    const log = eventLog();
    log.add({ kind: 'start', text: 'one' });
    const found = read(log.reader(`${FIRST_LIFE}.77`));
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ['gap', 'start'],
    );
  });

  test('that is overtaken is told which records are gone, and gets the rest', () => {
    const log = eventLog();
    const reader = log.reader();
    for (let number = 1; number <= 6000; number++) log.add({ kind: 'server', text: `${number}` });
    const [gap, next, ...more] = read(reader);
    assert.equal(gap?.kind, 'gap');
    assert.equal(gap?.from, `${FIRST_LIFE}.0`);
    assert.equal(gap?.to, `${FIRST_LIFE}.1000`);
    assert.equal(next?.text, '1001');
    assert.equal(more.at(-1)?.text, '6000');
    assert.equal(more.length, 4999);
  });

  test('is not waited for: a log that nobody reads stays below its bound', () => {
    const log = eventLog();
    const reader = log.reader();
    for (let number = 0; number < 20_000; number++) {
      log.add({ kind: 'server', text: 'x'.repeat(900) });
    }
    const held = read(reader).slice(1);
    const characters = held.reduce((sum, record) => sum + JSON.stringify(record).length, 0);
    assert.ok(characters <= 1024 * 1024, `${characters}`);
    assert.ok(held.length > 900);
  });

  test('is called for each record until it has had enough', () => {
    const log = eventLog();
    let called = 0;
    const stop = log.onRecord(() => called++);
    log.add({ kind: 'start', text: 'one' });
    stop();
    log.add({ kind: 'start', text: 'two' });
    assert.equal(called, 1);
  });
});

test('the last records are those asked for, oldest first', () => {
  const log = eventLog();
  for (const text of ['one', 'two', 'three']) log.add({ kind: 'start', text });
  assert.deepEqual(
    log.recent(2).map(({ text }) => text),
    ['two', 'three'],
  );
  assert.equal(log.recent(100).length, 3);
});

describe('what happened since', () => {
  const at = (second: number): string => new Date(second * 1000).toISOString();

  /** A record a second, from 1 on. */
  function logOf(records: number): EventLog {
    let seconds = 0;
    const log = new EventLog({ node: 'primary', incarnation: 7, wallMs: () => seconds * 1000 });
    for (seconds = 1; seconds <= records; seconds++) log.add({ kind: 'start', text: `${seconds}` });
    return log;
  }

  const texts = (log: EventLog, since: string, limit = 1000) =>
    log.recent(limit, sinceOf(since)).map(({ kind, text }) => (kind === 'gap' ? kind : text));

  test('is after a record, from a moment on, or all of a later life', () => {
    const log = logOf(5);
    assert.deepEqual(texts(log, '7.3'), ['4', '5']);
    assert.deepEqual(texts(log, at(3)), ['3', '4', '5']);
    assert.deepEqual(texts(log, '1970-01-01T01:00:03+01:00'), ['3', '4', '5']);
    assert.deepEqual(texts(log, '6.99'), ['1', '2', '3', '4', '5']);
    assert.deepEqual(texts(log, '8.1'), []);
    assert.deepEqual(texts(log, '7.1', 2), ['4', '5']);
  });

  test('begins with a gap where records that were meant are overwritten, and only there', () => {
    const log = logOf(5003);
    assert.deepEqual(texts(log, '7.2', 6000).slice(0, 2), ['gap', '4']);
    assert.deepEqual(texts(log, '7.3', 6000).slice(0, 1), ['4']);
    assert.deepEqual(texts(log, at(3), 6000).slice(0, 2), ['gap', '4']);
    assert.deepEqual(texts(log, at(4), 6000).slice(0, 1), ['4']);
  });

  test('what is neither an id nor a moment with its zone is nothing', () => {
    for (const wrong of [
      '',
      'yesterday',
      '7',
      '7.',
      '2026-11-22',
      '2026-11-22T18:00:00',
      '1e9.3',
    ]) {
      assert.equal(sinceOf(wrong), undefined, wrong);
    }
    assert.equal(sinceOf('2026-99-22T18:00:00Z'), undefined);
  });
});
