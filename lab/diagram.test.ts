import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { diagram } from './diagram.ts';
import { MACS } from './topology.ts';

test('a diagram shows who said and did what, the cause before its effect', () => {
  const lines = diagram(
    [
      ['heartbeat', 90, 'da', 'sent', 'segment', 'running'],
      ['vip', 100.5, 'db', 'gone'],
      ['heartbeat', 100.5, 'da', 'sent', 'segment', 'running'],
      ['heartbeat', 100.5, 'da', 'passed', 'segment', 'running'],
      ['probe', 101, 'da', 0.2],
      ['heartbeat', 101, 'db', 'sent', 'segment', 'stopped'],
      ['announcement', 102, 'da', 'reply', MACS.da],
      ['router', 102, MACS.da, 4],
      ['vip', 400, 'db', 'raised'],
    ],
    { fromAt: 100, toAt: 200, maxLines: 10 },
  );
  assert.deepEqual(lines, [
    '             da                                      db',
    '    0.5 ms   RUNNING ------------------------------>',
    '    0.5 ms                                           gives up the VIP',
    '    1.0 ms           <------------------------------ STOPPED',
    '    2.0 ms   announces da (reply)',
    '    2.0 ms                 [router: da]',
  ]);
});

test('a diagram ends after its number of lines', () => {
  const beat = ['heartbeat', 1, 'da', 'sent', 'segment', 'running'] as const;
  assert.equal(diagram([beat, beat, beat], { fromAt: 0, toAt: 9, maxLines: 2 }).length, 3);
});
