import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip } from '../base/index.ts';
import type { Note } from '../core/index.ts';
import { noteLines, startLine, terminationLine } from './log.ts';
import { counting } from './log-sink.ts';

const PARTNER = ip('198.51.100.11');
const context = { node: 'backup', service: 'lvs', isVerbose: false, monitorsLinks: true } as const;

describe('O2: the key phrases of piranha 0.8.6, each with its reason word', () => {
  test('STARTING PULSE AS MASTER, AS BACKUP', () => {
    assert.equal(startLine('primary'), 'STARTING PULSE AS MASTER (start)');
    assert.equal(startLine('backup'), 'STARTING PULSE AS BACKUP (start)');
  });

  test('Terminating due to signal N', () => {
    assert.equal(terminationLine(15), 'Terminating due to signal 15 (stop)');
  });

  const rows: readonly (readonly [Note, readonly string[]])[] = [
    [
      { kind: 'role', from: 'standby', to: 'active', reason: 'partner-silent' },
      ['partner dead: activating lvs (partner-silent)'],
    ],
    [
      { kind: 'role', from: 'standby', to: 'active', reason: 'partner-resigned' },
      ['primary inactive: activating lvs (partner-resigned)'],
    ],
    [
      { kind: 'role', from: 'standby', to: 'active', reason: 'forced' },
      ['Forced active on startup (forced)'],
    ],
    [
      { kind: 'role', from: 'standby', to: 'active', reason: 'no-partner' },
      ['activating lvs (no-partner)'],
    ],
    [
      { kind: 'role', from: 'active', to: 'standby', reason: 'split-brain-yield' },
      ['partner active: deactivating LVS (split-brain-yield)'],
    ],
    [
      { kind: 'role', from: 'active', to: 'fault', reason: 'link-failure' },
      ['Local NIC link failure: deactivating LVS (link-failure)'],
    ],
    [{ kind: 'role', from: 'active', to: 'standby', reason: 'stop' }, ['deactivating LVS (stop)']],
    [{ kind: 'split-brain-announce' }, ['partner active: resending arps (split-brain-announce)']],
    [
      { kind: 'announcements-finished', frames: 6 },
      ['gratuitous lvs arps finished (6 frames a VIP)'],
    ],
    [
      { kind: 'links', down: ['public'] },
      [
        'Primary NIC: link down (link-failure)',
        'Local NIC link failure: Pulse disabled (link-failure)',
      ],
    ],
    [
      { kind: 'links', down: ['private'] },
      [
        'Private NIC: link down (link-failure)',
        'Local NIC link failure: Pulse disabled (link-failure)',
      ],
    ],
    [{ kind: 'links', down: [] }, ['Local NIC link restored: Pulse enabled (link-restored)']],
    [
      { kind: 'dropped', reason: 'incompatible', from: PARTNER },
      ['Incompatible heartbeat received from 198.51.100.11 (incompatible)'],
    ],
    [
      { kind: 'dropped', reason: 'too-short', from: PARTNER },
      ['bad heartbeat packet from 198.51.100.11 (too-short)'],
    ],
  ];
  for (const [note, lines] of rows) {
    test(lines.join(' / '), () => assert.deepEqual(noteLines(note, context), lines));
  }

  test('the primary that hears STOPPED names the backup', () => {
    const note: Note = { kind: 'role', from: 'standby', to: 'active', reason: 'partner-resigned' };
    assert.deepEqual(noteLines(note, { ...context, node: 'primary' }), [
      'backup inactive: activating lvs (partner-resigned)',
    ]);
  });

  test('Unexpected heartbeat from IP, with -v only', () => {
    const note: Note = { kind: 'dropped', reason: 'stranger', from: PARTNER };
    assert.deepEqual(noteLines(note, context), []);
    assert.deepEqual(noteLines(note, { ...context, isVerbose: true }), [
      'Unexpected heartbeat from 198.51.100.11 (stranger)',
    ]);
  });

  test('a HOLD is silent as of old, a STOPME is not', () => {
    assert.deepEqual(noteLines({ kind: 'hold', magic: 'hold' }, context), []);
    assert.equal(noteLines({ kind: 'hold', magic: 'stopme' }, context).length, 1);
  });

  test('without monitor_links a lost cable does not claim that pulse is disabled', () => {
    const lines = noteLines(
      { kind: 'links', down: ['public'] },
      { ...context, monitorsLinks: false },
    );
    assert.deepEqual(lines, ['Primary NIC: link down (link-failure)']);
  });

  test('what was left out is counted', () => {
    const note: Note = { kind: 'dropped', reason: 'too-short', from: PARTNER };
    assert.deepEqual(noteLines(note, context, 41), [
      'bad heartbeat packet from 198.51.100.11 (too-short); 41 more like it before',
    ]);
  });
});

test('lines that nobody takes are counted, and told when somebody does', () => {
  const taken: string[] = [];
  let isSlow = false;
  const log = counting((line) => {
    if (!isSlow) taken.push(line);
    return !isSlow;
  });
  log('one');
  isSlow = true;
  log('two');
  log('three');
  isSlow = false;
  log('four');
  assert.deepEqual(taken, ['one', '2 lines of this log were lost: its reader is slow', 'four']);
});
