import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { brokenLink } from '../director/index.ts';
import { enterNamespace, runIp } from '../ports/index.ts';
import { ROUTES } from './routes.ts';

enterNamespace();

const NOBODY = 65_534;
const directory = mkdtempSync(join(tmpdir(), 'pirapi-'));
const run = join(directory, 'run');
const PULSE = join(import.meta.dirname, '..', '..', 'bin', 'pulse');
const CONFIG = `primary = 198.51.100.11
backup_active = 0
keepalive_ms = 100
deadtime_ms = 300
network = direct
dataplane = none
virtual web {
    active = 1
    address = 198.51.100.100 eth0:1
    port = 80
    server a {
        address = 127.0.0.1
        active = 1
    }
}
`;
const configFile = join(directory, 'lvs.cf');
let pulse: ReturnType<typeof spawn>;

before(async () => {
  chmodSync(directory, 0o755);
  writeFileSync(configFile, CONFIG);
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far');
  for (const device of ['eth0', 'far']) runIp('link', 'set', device, 'up');
  runIp('addr', 'add', '198.51.100.11/24', 'dev', 'eth0');
  pulse = spawn(PULSE, ['-n', '-c', configFile, '--run-dir', run], { stdio: 'ignore' });
  await until(() => curl(['http://x/v1/status']).includes('"role":"active"'));
});

after(async () => {
  pulse.kill('SIGTERM');
  await new Promise((resolve) => pulse.once('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
});

async function until(isTrue: () => boolean): Promise<void> {
  for (const limit = performance.now() + 20_000; !isTrue(); await sleep(50)) {
    assert.ok(performance.now() < limit, 'waited 20 s');
  }
}

/** As root over pulse.sock unless told. */
function curl(words: readonly string[], socket = 'pulse.sock', uid = 0): string {
  const all = ['-s', '-m', '5', '--unix-socket', join(run, socket), ...words];
  const { stdout, stderr } = spawnSync('curl', all, { encoding: 'utf8', uid, gid: uid });
  return stdout + stderr;
}

function post(path: string, body: string, socket?: string, uid?: number): string {
  return curl(['-d', body, `http://x${path}`], socket, uid);
}

test('every document of a real director is of its schema', () => {
  post('/v1/servers', '{"target":"web/a","kind":"drain","forMs":60000}');
  post('/v1/servers', '{"target":"web/a","kind":"lift"}');
  for (const { method, path, answer } of ROUTES) {
    if (method !== 'GET' || answer.kind !== 'json' || path.includes('{')) continue;
    if (path === '/v1/role') continue; // no order yet
    const document: unknown = JSON.parse(curl([`http://x${path}`]));
    const { issues } = v.safeParse(answer.schema, document);
    assert.equal(issues, undefined, `${path}: ${JSON.stringify(issues?.[0])}`);
  }
});

test('nobody of this machine may look, at read.sock, and change nothing', () => {
  assert.match(curl(['http://x/v1/status'], 'read.sock', NOBODY), /"role":"active"/);
  assert.match(post('/v1/reload', '{}', 'read.sock', NOBODY), /"reason":"not-allowed"/);
  assert.equal(curl(['http://x/v1/status'], 'pulse.sock', NOBODY), '');
  assert.equal(curl(['http://x/v1/status'], 'courier.sock', NOBODY), '');
});

test('the audit names the user by the kernel’s word, whatever he says', () => {
  const words = ['-H', 'piranha-user: root', '-d', '{}', 'http://x/v1/reload'];
  curl(words, 'read.sock', NOBODY);
  const entries = curl(['http://x/v1/audit?limit=1']);
  assert.match(entries, /"who":"root \(by nobody \(uid 65534\)\)","from":"read.sock"/);
  assert.match(entries, /"result":"denied"/);
  const state = join(run, 'state');
  assert.equal(statSync(state).mode & 0o777, 0o700);
  const lines = readFileSync(join(state, 'audit.jsonl'), 'utf8').trim().split('\n');
  assert.equal(brokenLink(lines, '0'.repeat(64)), undefined);
});

test('a reload says what changed; a typo in its order is no reload', async () => {
  writeFileSync(
    configFile,
    CONFIG.replace('active = 1\n    }\n}', 'active = 1\n        weight = 5\n    }\n}'),
  );
  assert.match(post('/v1/reload', '{"isDyRun":true}'), /isDyRun in the body is not known/);
  assert.match(post('/v1/reload', '{"isDryRun":true}'), /a: weight 1 -> 5/);
  assert.match(curl(['http://x/v1/services']), /"configuredWeight":1/);
  assert.match(post('/v1/reload', ''), /weight 1 -> 5/);
  assert.match(curl(['http://x/v1/services']), /"configuredWeight":5/);
  pulse.kill('SIGHUP');
  await until(() =>
    /"from":"SIGHUP","action":"reload","result":"done"/.test(curl(['http://x/v1/audit'])),
  );
  writeFileSync(configFile, `${CONFIG}nonsense\n`);
  const refused = post('/v1/reload', '{}');
  assert.match(refused, /"title":"the file is refused","status":422.*lvs\.cf:\d+/);
  assert.match(curl(['http://x/v1/events/recent?limit=9']), /"kind":"config".*reload-refused/);
});

test('a check made now tells what the server said', () => {
  const answer = post('/v1/checks/run', '{"service":"web","server":"a"}');
  assert.match(answer, /"verdict":"down","reason":"connect-refused".*"tookMs":/);
});

test('the life of a director is in its events, the change of role in its incidents', async () => {
  const events = curl(['http://x/v1/events/recent?limit=1000']);
  assert.match(events, /"kind":"start"/);
  assert.match(
    events,
    /"kind":"role".*"reason":"no-partner".*"to":"active"|"to":"active".*"no-partner"/,
  );
  await until(() => curl(['http://x/v1/incidents']).includes('"to":"active"'));
  const id = /"id":"([^"]+)"/.exec(curl(['http://x/v1/incidents']))?.[1];
  const recording = curl([`http://x/v1/incidents/${id}`]);
  assert.match(recording, /^\{"kind":"incident"/);
  assert.match(curl(['http://x/v1/incidents/20261122T184500Z-9']), /"status":404/);
});

test('one user takes sixteen places of read.sock and not the others’', async () => {
  const path = join(run, 'read.sock');
  const program = `
    const { connect } = require('node:net');
    let closed = 0;
    for (let at = 0; at < 40; at++) {
      const socket = connect(${JSON.stringify(path)});
      socket.on('error', () => {}).resume();
      socket.on('close', () => closed++);
      socket.write('GET /v1/events HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n');
    }
    setTimeout(() => { console.log(40 - closed); }, 700);
    setTimeout(() => process.exit(), 3000);`;
  // Not started as nobody: he may not be allowed into the directory that our Node lies in.
  const drop = `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});`;
  const crowd = spawn(process.execPath, ['-e', `${drop}${program}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  crowd.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(() => said !== '');
  assert.equal(said.trim(), '16');
  assert.equal(curl(['http://x/v1/status'], 'read.sock', NOBODY), '');
  assert.match(curl(['http://x/v1/status'], 'read.sock', 1), /"role":"active"/);
  crowd.kill();
});
