import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fromHex, utf8 } from '../base/index.ts';
import type { Node } from '../model/index.ts';
import {
  type CourierFiles,
  courierFiles,
  courierSecrets,
  LIMITS,
  readState,
  runCourier,
} from './index.ts';

const KEY = fromHex('00112233445566778899aabbccddeeff');
const OTHER = fromHex('ffeeddccbbaa99887766554433221100');
const OWN = { primary: '127.0.0.11', backup: '127.0.0.12' };
/** Short ones, so that a test can wait for them. */
const TIGHT = {
  ...LIMITS,
  ...{ connections: 4, handshakeMs: 300, dialMs: 300, idleMs: 400, lingerMs: 200, lookMs: 20 },
};

/** A node: its courier and, in place of a director, a server that answers each line with its name. */
class Side {
  readonly files: CourierFiles;
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-'));
  readonly node: Node;
  readonly heard: string[] = [];
  ended: ReturnType<typeof runCourier> | undefined;
  readonly #director: Server;

  constructor(node: Node) {
    this.node = node;
    this.files = courierFiles(this.directory);
    this.#director = createServer((socket) => {
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (text: string) => {
        this.heard.push(text);
        const answer = () => socket.write(`${node} heard ${text.length}`);
        setTimeout(answer, text.startsWith('slow') ? 150 : 0);
      });
    });
  }

  async start(port: number, keys: readonly Uint8Array[], limits = TIGHT): Promise<void> {
    if (!this.#director.listening) {
      await new Promise<void>((done) => this.#director.listen(this.files.courierSocket, done));
    }
    const partner = this.node === 'primary' ? 'backup' : 'primary';
    const plan = {
      v: 1,
      port,
      paths: [{ own: OWN[this.node], partner: OWN[partner] }],
      secrets: courierSecrets(keys, this.node),
      group: process.getgid?.() ?? 0,
    };
    writeFileSync(this.files.plan, JSON.stringify(plan), { mode: 0o600 });
    this.ended = runCourier(this.files, limits);
    await until(() => existsSync(this.files.partnerSocket));
  }

  async stop(): Promise<void> {
    rmSync(this.files.partnerSocket, { force: true });
    await this.ended;
    await new Promise((done) => this.#director.close(done));
    rmSync(this.directory, { recursive: true });
  }

  /** Says a text to the partner; gives the answer, undefined when the connection was closed instead. */
  say(text: string): Promise<string | undefined> {
    return answerOf(connect(this.files.partnerSocket), text);
  }
}

function answerOf(socket: Socket, text?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('close', () => resolve(undefined));
    socket.once('data', (bytes: Uint8Array) => {
      resolve(new TextDecoder().decode(bytes));
      socket.destroy();
    });
    if (text !== undefined) socket.write(text);
  });
}

async function until(isTrue: () => boolean, limitMs = 5000): Promise<void> {
  for (const end = performance.now() + limitMs; !isTrue(); await sleep(10)) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${isTrue}`);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, OWN.primary, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** From an address that may be the partner's. */
const fromBackup = (port: number): Socket =>
  connect({ host: OWN.primary, port, localAddress: OWN.backup });

let port: number;
let primary: Side;
let backup: Side;

beforeEach(async () => {
  port = await freePort();
  [primary, backup] = [new Side('primary'), new Side('backup')];
});

afterEach(() => Promise.all([primary.stop(), backup.stop()]));

describe('two couriers with one key', () => {
  beforeEach(async () => {
    await primary.start(port, [KEY]);
    await backup.start(port, [KEY]);
  });

  test('carry bytes to the partner and its answer back, in both directions', async () => {
    assert.equal(await primary.say('GET / HTTP/1.1\r\n\r\n'), 'backup heard 18');
    assert.equal(await backup.say('ping'), 'primary heard 4');
    assert.deepEqual(primary.heard, ['ping']);
    assert.equal(readState(primary.files.state)?.trouble, undefined);
  });

  test('the plan with the keys is gone once they run', () => {
    assert.equal(existsSync(primary.files.plan), false);
    assert.equal(statSync(primary.files.partnerSocket).mode & 0o777, 0o660);
    assert.doesNotMatch(readFileSync(primary.files.state, 'utf8'), /[0-9a-f]{32}/);
  });

  test('a partner that is gone is told with its address, and reached again afterwards', async () => {
    rmSync(backup.files.partnerSocket);
    assert.deepEqual(await backup.ended, { isWrong: false, why: 'its socket was taken away' });
    assert.equal(await primary.say('ping'), undefined);
    const trouble = `127.0.0.12 port ${port}: connection refused`;
    assert.equal(readState(primary.files.state)?.trouble, trouble);
    await backup.start(port, [KEY]);
    assert.equal(await primary.say('ping'), 'backup heard 4');
    assert.equal(readState(primary.files.state)?.trouble, undefined);
  });

  test('told to go, it carries to its end what is under way, and nothing new', async () => {
    const order: string[] = [];
    const said = primary.say('slow').then((answer) => order.push(answer ?? 'cut off'));
    await until(() => backup.heard.length === 1);
    rmSync(primary.files.partnerSocket);
    rmSync(backup.files.partnerSocket);
    await Promise.all([
      said,
      primary.ended?.then(() => order.push('ended')),
      backup.ended?.then(() => order.push('ended')),
    ]);
    assert.deepEqual(order, ['backup heard 4', 'ended', 'ended']);
    assert.equal(await answerOf(fromBackup(port)), undefined);
  });

  test('a silent connection ends after its idle time', async () => {
    const startedAt = performance.now();
    assert.equal(await answerOf(connect(primary.files.partnerSocket)), undefined);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs > TIGHT.idleMs * 0.9 && tookMs < TIGHT.idleMs + 1000, `${tookMs} ms`);
  });
});

describe('who is not the partner is refused', () => {
  test('another key: neither side hears a byte, and both say why', async () => {
    await primary.start(port, [KEY]);
    await backup.start(port, [OTHER]);
    assert.equal(await primary.say('ping'), undefined);
    assert.deepEqual([primary.heard, backup.heard], [[], []]);
    const why = 'the keys differ: is heartbeat_key_file the same on both nodes?';
    assert.equal(readState(primary.files.state)?.trouble, `127.0.0.12 port ${port}: ${why}`);
    await until(() => readState(backup.files.state)?.refusal === why);
  });

  test('during a rotation either key is good', async () => {
    await primary.start(port, [KEY, OTHER]);
    await backup.start(port, [OTHER, KEY]);
    assert.equal(await primary.say('ping'), 'backup heard 4');
    assert.equal(await backup.say('ping'), 'primary heard 4');
  });

  test('a certificate, no key at all, forged bytes and a stranger reach nobody', async () => {
    await primary.start(port, [KEY]);
    const withoutKey = connectTls({ socket: fromBackup(port), rejectUnauthorized: false });
    assert.equal(await answerOf(withoutKey, 'GET / HTTP/1.1\r\n\r\n'), undefined);
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff'.repeat(2000)]) {
      const answer = await answerOf(fromBackup(port), bytes);
      assert.ok(answer === undefined || answer.charCodeAt(0) === 0x15, 'only a TLS alert');
    }
    const stranger = connect({ host: OWN.primary, port, localAddress: '127.0.0.99' });
    assert.equal(await answerOf(stranger), undefined);
    await until(() => readState(primary.files.state)?.refused === 4);
    assert.deepEqual(primary.heard, []);
  });

  test('our own connection, led back to us, is not the partner', async () => {
    await primary.start(port, [KEY]);
    const secret = courierSecrets([KEY], 'primary')?.outgoing;
    const psk = Buffer.from(fromHex(secret?.key ?? ''));
    const selfie = connectTls({
      socket: fromBackup(port),
      minVersion: 'TLSv1.3',
      ciphers: 'TLS_AES_128_GCM_SHA256',
      pskCallback: () => ({ identity: secret?.identity ?? '', psk }),
    });
    assert.equal(await answerOf(selfie, 'ping'), undefined);
    assert.deepEqual(primary.heard, []);
  });

  test('slow handshakes are bounded in number and in time', async () => {
    await primary.start(port, [KEY]);
    await backup.start(port, [KEY]);
    const closed: number[] = [];
    const startedAt = performance.now();
    for (let index = 0; index < 30; index++) {
      const socket = fromBackup(port);
      socket.on('error', () => {});
      socket.once('close', () => closed.push(performance.now() - startedAt));
      socket.write('\x16\x03\x01');
      socket.resume();
    }
    await until(() => closed.length >= 26);
    assert.ok((closed[25] ?? 0) < TIGHT.handshakeMs, 'beyond four they are closed at once');
    await until(() => closed.length === 30);
    assert.ok((closed[29] ?? 0) < TIGHT.handshakeMs + 1000, 'and those four in their time');
    assert.equal(await backup.say('ping'), 'primary heard 4');
  });

  test('more bytes than a connection may carry end it', async () => {
    const limits = { ...TIGHT, bytes: 100_000, rate: 10_000_000 };
    await primary.start(port, [KEY], limits);
    await backup.start(port, [KEY], limits);
    const socket = connect(primary.files.partnerSocket);
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume().write('x'.repeat(300_000));
    await closed;
    assert.ok(backup.heard.join('').length <= 100_000);
  });
});

describe('keys', () => {
  test('without a heartbeat key there is no courier', async () => {
    assert.equal(courierSecrets([], 'primary'), undefined);
    assert.match((await runCourier(primary.files)).why, /courier\.plan cannot be read/);
    assert.equal(existsSync(primary.files.partnerSocket), false);
  });

  test('a derived key is not the heartbeat key, and not that of the other direction', () => {
    const ours = courierSecrets([utf8('example key')], 'primary');
    const theirs = courierSecrets([utf8('example key')], 'backup');
    assert.deepEqual(ours?.incoming, [theirs?.outgoing]);
    assert.deepEqual(theirs?.incoming, [ours?.outgoing]);
    assert.notEqual(ours?.outgoing.key, theirs?.outgoing.key);
    // Computed with OpenSSL: kdf -keylen 32 HKDF, digest SHA2-256, no salt.
    const key = 'd41f4017ef9367b655f23116ab6f66e88c4c00409b36e520ddfdc41be67d576f';
    assert.equal(ours?.outgoing.key, key);
  });
});
