import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import { type Host, holds, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

const KEY = '00112233445566778899aabbccddeeff';
const OTHER = 'ffeeddccbbaa99887766554433221100';

let segment: TestSegment;
let primary: Host;

beforeEach(async () => {
  segment = new TestSegment();
  ({ primary } = await segment.build());
});

afterEach(() => segment.close());

function keyFile(name: string, ...keys: readonly string[]): string {
  const path = join(segment.directory, name);
  writeFileSync(path, `${keys.join('\n')}\n`, { mode: 0o600 });
  return path;
}

/** Both run, the primary is active and believed. */
async function pair() {
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const second = segment.pulse('backup');
  await second.says('partner heard');
  return { first, second };
}

describe('status of a pair', () => {
  test('tells lease, epoch, the partner in its own words, belief, dialect and witness', async () => {
    segment.configure();
    const { first } = await pair();
    assert.match(first.log, /heartbeats are not authenticated .*anyone on the segment can steal/);
    const text = segment.status('primary');
    assert.match(
      text,
      /^HEALTHY {2}This director is active; 198\.51\.100\.1 sends the VIP here; the partner is standby and could take over\./,
    );
    assert.match(text, /says {4}standby, able to take over, epoch \d+, lease \d+ ms, same lvs\.cf/);
    assert.match(text, /DIALECT {3}auto; the partner's: extended; heartbeats not authenticated/);
    assert.match(text, /LEASE {5}lease \d+ ms of 229 left; kernel gate in/);
    assert.match(text, /WITNESS {3}belief: asked \(gateway\); hear before claim: on/);
    assert.match(text, /198\.51\.100\.1 sends to: us, \d+\.\d ms after the announcement/);
    const document = JSON.parse(segment.piranha('backup', 'status', '--json').stdout);
    assert.equal(document.pair.partner.role, 'active');
    assert.equal(document.pair.partner.hasSameConfiguration, true);
    assert.equal(document.pair.lease.remainingMs, undefined);
  });

  test('one packet socket for each device of the VIPs: each one delays the end of a killed director (ears.ts)', async () => {
    segment.configure();
    await pair();
    const [, ...sockets] = primary.run('cat', '/proc/net/packet').trim().split('\n');
    assert.equal(sockets.length, 1, sockets.join('\n'));
  });

  test('a legacy partner under dialect = auto is called so, and what that costs', async () => {
    segment.configure('dialect = legacy');
    const second = segment.pulse('backup');
    await second.says('STARTING');
    await sleep(300);
    segment.configure();
    const first = segment.pulse('primary');
    await first.says('partner heard');
    await sleep(300);
    assert.match(segment.status('primary'), /the partner's: legacy \(Piranha 0\.8\.6\): no lease/);
  });
});

describe('keys', () => {
  test('with one key on both sides the pair works and says so', async () => {
    segment.configure(`heartbeat_key_file = ${keyFile('key', KEY)}`);
    const { first } = await pair();
    assert.match(segment.status('primary'), /heartbeats authenticated/);
    assert.doesNotMatch(first.log, /unauthenticated/);
    assert.doesNotMatch(segment.status('primary'), /bad-tag|unsigned/);
  });

  test('another key is dropped as bad-tag, no key as unsigned; nobody is believed by it', async () => {
    segment.configure(`heartbeat_key_file = ${keyFile('one', KEY)}`);
    const first = segment.pulse('primary');
    await first.says('198.51.100.1 sends');
    segment.configure(`heartbeat_key_file = ${keyFile('other', OTHER)}`);
    const second = segment.pulse('backup');
    await first.says('(bad-tag)');
    second.signal('SIGKILL');
    await second.exit;
    segment.configure();
    segment.pulse('backup');
    await first.says('(unsigned)');
    const text = segment.status('primary');
    assert.match(text, /dropped .*\d+ bad-tag/);
    assert.match(text, /\d+ unsigned/);
    assert.doesNotMatch(first.log, /partner heard/);
    assert.equal(holds(primary, VIP), true);
  });

  test('rotation: a second key is accepted before it signs', async () => {
    segment.configure(`heartbeat_key_file = ${keyFile('old', KEY, OTHER)}`);
    const first = segment.pulse('primary');
    await first.says('198.51.100.1 sends');
    segment.configure(`heartbeat_key_file = ${keyFile('new', OTHER, KEY)}`);
    const second = segment.pulse('backup');
    await second.says('partner heard');
    await first.says('partner heard');
  });

  test('a key file that others may read is refused, whatever is in it', async () => {
    const path = keyFile('open', KEY);
    chmodSync(path, 0o644);
    segment.configure(`heartbeat_key_file = ${path}`);
    const pulse = segment.pulse('primary');
    assert.equal(await pulse.exit, 1);
    assert.match(pulse.log, /may be read by others \(mode 644\): it must be 600 or 400/);
    assert.doesNotMatch(pulse.log, new RegExp(KEY));
  });
});
