/** Knocking at a VIP with real packets: a director and a real server on one segment, over both IP versions. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '../base/index.ts';
import { makeCheck, type Verdict } from '../model/index.ts';
import { enterNamespace, runIp } from '../ports/index.ts';
import { openKnocker } from './knock.ts';
import { proberOf } from './prober.ts';

const here = enterNamespace();
const server = `${here}-r1`;
const other = `${here}-r2`;
const VIPS = { 4: '10.77.0.100', 6: 'fd77::100' } as const;
const SERVERS = { 4: '10.77.0.21', 6: 'fd77::21' } as const;
type Family = keyof typeof VIPS;
const LIMIT_MS = 600;
const opened = openKnocker();
assert.ok(opened.ok, JSON.stringify(opened));
const knocker = opened.value;
const children: ReturnType<typeof spawn>[] = [];

function plain(family: Family): string {
  return `${VIPS[family]}/${family === 4 ? 32 : 128}`;
}

function vip(action: 'add' | 'del', device: string, namespace?: string): void {
  for (const family of [4, 6] as const) {
    const where = namespace === undefined ? [] : ['-n', namespace];
    const flags = family === 6 && action === 'add' ? ['nodad'] : [];
    runIp(...where, 'addr', action, plain(family), 'dev', device, ...flags);
  }
}

async function knock(family: Family, port = 80): Promise<Verdict> {
  const timing = { intervalMs: 1000, timeoutMs: LIMIT_MS, rise: 1, fall: 1 };
  const procedure = { kind: 'knock', vip: ip(VIPS[family]) } as const;
  const check = makeCheck({ address: ip(SERVERS[family]), port, ...timing, procedure });
  return new Promise((resolve) => {
    const running = proberOf(check, { knocker })((verdict) => {
      clearTimeout(limit);
      resolve(verdict);
    });
    const limit = setTimeout(() => {
      resolve({ isUp: false, reason: 'timeout', detail: running.abort() });
    }, LIMIT_MS);
  });
}

before(async () => {
  runIp('link', 'add', 'eth0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
  runIp('link', 'set', 'eth0', 'up');
  runIp('addr', 'add', '10.77.0.11/24', 'dev', 'eth0');
  runIp('addr', 'add', 'fd77::11/64', 'dev', 'eth0', 'nodad');
  for (const [name, number] of [
    [server, 21],
    [other, 22],
  ] as const) {
    runIp('netns', 'add', name);
    runIp('link', 'add', `p${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    runIp('link', 'set', `p${number}`, 'master', 'eth0', 'up');
    runIp('-n', name, 'link', 'set', 'lo', 'up');
    runIp('-n', name, 'link', 'set', 'eth0', 'up');
    runIp('-n', name, 'addr', 'add', `10.77.0.${number}/24`, 'dev', 'eth0');
    runIp('-n', name, 'addr', 'add', `fd77::${number}/64`, 'dev', 'eth0', 'nodad');
  }
  for (const name of [server, other]) {
    const serve = `require('net').createServer((s) => { s.on('error', () => {}); console.log('client'); }).listen(80, '::', () => console.log('ready'))`;
    const child = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', serve]);
    children.push(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
  }
});

after(() => {
  knocker.close();
  for (const child of children) child.kill('SIGKILL');
  for (const name of [server, other]) runIp('netns', 'del', name);
});

for (const holds of [false, true]) {
  const whose = holds ? 'the director holds it, too' : 'the director does not hold it';
  test(`a server without the VIP is silent to it, one with it answers; ${whose}`, async () => {
    if (holds) vip('add', 'eth0');
    for (const family of [4, 6] as const) {
      const silent = await knock(family);
      assert.deepEqual(silent, {
        isUp: false,
        reason: 'timeout',
        detail: `an answer for ${VIPS[family]}`,
      });
    }
    vip('add', 'lo', server);
    for (const family of [4, 6] as const) assert.deepEqual(await knock(family), { isUp: true });
    for (const family of [4, 6] as const) {
      const refused = await knock(family, 81);
      assert.deepEqual(refused, {
        isUp: false,
        reason: 'connect-refused',
        detail: `RST for ${VIPS[family]} port 81 at ${SERVERS[family]}`,
      });
    }
    vip('del', 'lo', server);
    if (holds) vip('del', 'eth0');
  });
}

test('a knock is no client: the server hands no connection to its program', async () => {
  vip('add', 'lo', server);
  let said = '';
  children[0]?.stdout?.on('data', (bytes) => {
    said += String(bytes);
  });
  assert.ok((await knock(4)).isUp && (await knock(6)).isUp);
  await sleep(100);
  assert.equal(said, '');
  vip('del', 'lo', server);
});

test('a server that passes the SYN on to another one that answers is not taken for it', async () => {
  vip('add', 'lo', other);
  runIp('-n', server, 'route', 'add', plain(4), 'via', '10.77.0.22');
  const inServer = (text: string) =>
    spawnSync('ip', ['netns', 'exec', server, 'sh', '-c', text], { encoding: 'utf8' }).stdout;
  inServer(
    'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects',
  );
  // Ip: ForwDatagrams is the sixth number of its line.
  const forwarded = () =>
    Number(inServer('grep ^Ip: /proc/net/snmp').split('\n')[1]?.split(' ')[6]);
  const before = forwarded();
  const verdict = await knock(4);
  assert.ok(forwarded() > before, 'the SYN was passed on');
  assert.ok(!verdict.isUp && verdict.reason === 'timeout', JSON.stringify(verdict));
  vip('del', 'lo', other);
});

test('a server that nobody has seen is unreachable', async () => {
  runIp('-n', server, 'link', 'set', 'eth0', 'down');
  runIp('neigh', 'flush', 'dev', 'eth0');
  const timing = { intervalMs: 1000, timeoutMs: LIMIT_MS, rise: 1, fall: 1 };
  const procedure = { kind: 'knock', vip: ip(VIPS[4]) } as const;
  const check = makeCheck({ address: ip('10.77.0.33'), port: 80, ...timing, procedure });
  const verdict = await new Promise<Verdict>((resolve) => {
    proberOf(check, { knocker })(resolve);
  });
  assert.ok(!verdict.isUp && verdict.reason === 'unreachable', JSON.stringify(verdict));
  assert.match(verdict.detail, /nobody answers for 10\.77\.0\.33/);
});
