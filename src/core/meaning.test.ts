import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSettings } from '../config/index.ts';
import { meaningOf } from './meaning.ts';

const SHOP = `serial_no = 7
primary = 198.51.100.11
backup = 198.51.100.12
backup_active = 1
deadtime = 6
network = direct
virtual shop {
    active = 1
    address = 198.51.100.100 eth0:1
    server web-a {
        address = 198.51.100.21
        active = 1
    }
    server web-b {
        address = 198.51.100.22
        active = 1
        weight = 3
    }
}
`;

function meaning(...edits: readonly (readonly [from: string, to: string])[]) {
  const settingsOf = (text: string) => {
    const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
    if (settings === undefined) throw new Error(JSON.stringify(problems));
    return settings;
  };
  let next = SHOP;
  for (const [from, to] of edits) {
    assert.ok(next.includes(from), from);
    next = next.replace(from, to);
  }
  return meaningOf(settingsOf(SHOP), settingsOf(next));
}

test('a weight', () => {
  assert.deepEqual(meaning(['weight = 3', 'weight = 2']), [
    'shop/web-b: weight 3 -> 2',
    'no VIP moves',
  ]);
});

test('comments, blanks and the serial number mean nothing', () => {
  const same = meaning(
    ['serial_no = 7', '# by alice\nserial_no = 8'],
    ['deadtime = 6', 'deadtime=6'],
  );
  assert.deepEqual(same, ['no VIP moves']);
});

test('a server that leaves, one that joins, one that moves', () => {
  assert.deepEqual(
    meaning(['server web-a', 'server web-c'], ['198.51.100.21', '198.51.100.23'], ['.22', '.24']),
    [
      'shop/web-a leaves (198.51.100.21:80)',
      'shop/web-c joins: 198.51.100.23:80, weight 1',
      'shop/web-b: 198.51.100.22:80 -> 198.51.100.24:80',
      'no VIP moves',
    ],
  );
});

test('timers, switches and what only a restart can change', () => {
  assert.deepEqual(
    meaning(
      ['deadtime = 6', 'deadtime_ms = 4500\nkeepalive = 1\ndataplane = none'],
      ['network = direct', 'network = direct\nmonitor_links = 1'],
    ),
    [
      'keepalive 2 s -> 1 s',
      'deadtime 6 s -> 4500 ms',
      'dataplane auto -> none (needs a restart)',
      'monitor_links off -> on',
      'no VIP moves',
    ],
  );
});

test('a VIP that goes with its service and one that comes', () => {
  assert.deepEqual(meaning(['.100 eth0:1', '.101 eth0:1']), [
    'shop: tcp 198.51.100.100:80 -> tcp 198.51.100.101:80',
    'VIP 198.51.100.100 is lowered on eth0',
    'VIP 198.51.100.101 is raised on eth0',
  ]);
  assert.deepEqual(meaning(['eth0:1', 'eth1:1']), ['VIP 198.51.100.100 moves from eth0 to eth1']);
});

test('a service that is renamed ends and begins; its check and scheduler are its own', () => {
  assert.deepEqual(meaning(['virtual shop', 'virtual store']).slice(0, 2), [
    'virtual service shop ends (tcp 198.51.100.100:80)',
    'virtual service store begins: tcp 198.51.100.100:80, wlc, 2 real servers',
  ]);
  const other = 'active = 1\n    scheduler = rr\n    check = http\n    http_path = /health';
  assert.deepEqual(meaning(['    active = 1\n', `    ${other}\n`]), [
    'shop: scheduler wlc -> rr',
    'shop: its servers are checked anew: check nanny -> http',
    'no VIP moves',
  ]);
});
