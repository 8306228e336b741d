import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditEntry, imagined, type OpenApi, runDirectory } from '../director/index.ts';
import { userText } from '../ports/index.ts';
import { api } from './server.ts';

const { ImaginedDirector } = await imagined();
const director = new ImaginedDirector();
const sockets = runDirectory(director.directory);
let open: OpenApi;

before(async () => {
  await director.start();
  open = await api.open(director.face, sockets);
});

after(async () => {
  open.close();
  await director.close();
});

type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
};
type Question = {
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly agent?: Agent;
};

function ask(socketPath: string, question: Question): Promise<Answer> {
  const { body, ...rest } = question;
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, ...rest }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

/** A stream of events, as text. */
class Listener {
  text = '';
  status = 0;
  response: IncomingMessage | undefined;
  isOver = false;
  readonly #asked;

  constructor(query = '', headers: { readonly [name: string]: string } = {}) {
    const socketPath = sockets.socket;
    this.#asked = request({ socketPath, path: `/v1/events${query}`, headers }, (response) => {
      this.status = response.statusCode ?? 0;
      this.response = response;
      response.setEncoding('utf8').on('data', (part: string) => {
        this.text += part;
      });
    });
    this.#asked.once('close', () => {
      this.isOver = true;
    });
    this.#asked.on('error', () => {});
    this.#asked.end();
  }

  get records(): readonly { readonly [name: string]: unknown }[] {
    const whole = this.text.slice(0, this.text.lastIndexOf('\n\n') + 1);
    return Array.from(whole.matchAll(/^data: (.*)$/gm), ([, json]) => JSON.parse(json ?? ''));
  }

  async until(isTrue: () => boolean): Promise<void> {
    for (const limit = performance.now() + 5000; !isTrue(); await sleep(5)) {
      assert.ok(performance.now() < limit, `waited 5 s; heard ${this.text.slice(-300)}`);
    }
  }

  close(): void {
    this.#asked.destroy();
  }
}

function note(text: string): void {
  director.face.events.add({ kind: 'trouble', text });
}

describe('three doors', () => {
  test('each has its mode', () => {
    const modes = [sockets.socket, sockets.readSocket, sockets.courierSocket].map(
      (path) => statSync(path).mode & 0o777,
    );
    assert.deepEqual(modes, [0o660, 0o666, 0o600]);
  });

  test('all of them answer who looks', async () => {
    for (const path of [sockets.socket, sockets.readSocket, sockets.courierSocket]) {
      const { status, headers } = await ask(path, { path: '/v1/status' });
      assert.equal(status, 200);
      assert.equal(headers['content-type'], 'application/json');
    }
  });

  test('an order is refused at the one for looking, taken at the others, and audited with who it was', async () => {
    const body = '{"target":"web/a","kind":"drain"}';
    const order = { path: '/v1/servers', method: 'POST', body };
    assert.equal((await ask(sockets.readSocket, order)).status, 403);
    assert.equal((await ask(sockets.courierSocket, order)).status, 200);
    assert.equal((await ask(sockets.socket, order)).status, 200);
    const entries: readonly AuditEntry[] = director.face.audit.recent(3);
    const me = userText(process.getuid?.() ?? -1);
    assert.deepEqual(
      entries.map(({ who, from, result }) => [who, from, result]),
      [
        [me, 'read.sock', 'denied'],
        ['the primary', 'courier.sock', 'done'],
        [me, 'pulse.sock', 'done'],
      ],
    );
  });

  test('one connection serves many questions', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let number = 0; number < 3; number++) {
      assert.equal((await ask(sockets.socket, { path: '/v1/status', agent })).status, 200);
    }
    const [free] = Object.values(agent.freeSockets);
    assert.equal(free?.length, 1);
    agent.destroy();
  });
});

describe('a connection', () => {
  /** What comes until it is closed from there. */
  async function heard(socket: Socket): Promise<string> {
    let text = '';
    socket.on('error', () => {}).setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  }

  test('that asks again before it has its answer is ended, also where the answer is a stream', async () => {
    const question = 'GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n';
    const hasty = connect(sockets.readSocket);
    hasty.write(question.repeat(1000));
    const answers = (await heard(hasty)).match(/HTTP\/1\.1 200/g) ?? [];
    assert.ok(answers.length <= 1, `${answers.length} answers`);
    const streaming = connect(sockets.readSocket);
    streaming.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => streaming.once('data', resolve));
    streaming.write(question);
    assert.doesNotMatch(await heard(streaming), /openapi/);
  });

  test('whose answer nobody takes is ended after two seconds; who takes some of it now and then gets it whole', async () => {
    for (let number = 0; number < 1000; number++) note(`${number} ${'x'.repeat(900)}`);
    const question =
      'GET /v1/events/recent?limit=1000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    const [deaf, slow] = [connect(sockets.readSocket), connect(sockets.readSocket)];
    for (const socket of [deaf, slow]) socket.pause().write(question);
    slow.on('data', () => {
      if (slow.bytesRead > 700_000) return;
      slow.pause();
      setTimeout(() => slow.resume(), 300);
    });
    const whole = heard(slow);
    slow.resume();
    await sleep(2600);
    assert.equal(slow.closed, false, 'the slow one is still at it');
    deaf.resume();
    const [cut, got] = await Promise.all([heard(deaf), whole]);
    const length = Number(/content-length: (\d+)/.exec(got)?.[1]);
    assert.ok(length > 900_000, `${length} bytes`);
    assert.equal(got.length - got.indexOf('{'), length);
    assert.ok(cut.startsWith('HTTP/1.1 200 '));
    assert.ok(cut.length < length, 'what nobody had taken was not kept for him');
  });
});

describe('a body', () => {
  test('that says it has 100 MB is refused without being read', async () => {
    const socket = connect(sockets.socket);
    let heard = '';
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    socket.write('POST /v1/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n{');
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(heard, /^HTTP\/1\.1 413 .*"reason":"too-large"/s);
    assert.match(heard, /connection: close/);
  });

  test('that never ends is read up to its limit', async () => {
    const socket = connect(sockets.socket);
    let heard = '';
    let sent = 0;
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    socket.on('error', () => {});
    socket.write('POST /v1/reload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const pour = (): void => {
      while (sent < 100_000_000 && !socket.destroyed && socket.write(chunk)) sent += chunk.length;
    };
    socket.on('drain', pour);
    pour();
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(heard, /413/);
    assert.ok(sent < 2_000_000, `${sent} bytes were taken`);
  });

  test('of a client that stops in the middle is not waited for', async () => {
    const socket = connect(sockets.socket);
    const begun = performance.now();
    socket.on('error', () => {});
    socket.resume();
    socket.write('POST /v1/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    await new Promise((resolve) => socket.once('close', resolve));
    assert.ok(performance.now() - begun < 4000);
  });
});

describe('events', () => {
  test('come as they happen, and again from where a reader stopped', async () => {
    const first = new Listener();
    await first.until(() => first.text.startsWith(':'));
    note('one');
    await first.until(() => first.records.length === 1);
    first.close();
    note('two');
    const id = String(first.records[0]?.id);
    const again = new Listener('', { 'last-event-id': id });
    await again.until(() => again.records.length === 1);
    const since = new Listener(`?since=${id}`);
    await since.until(() => since.records.length === 1);
    assert.equal(again.records[0]?.text, 'two');
    assert.equal(since.records[0]?.text, 'two');
    assert.match(again.text, new RegExp(`^id: ${again.records[0]?.id}$`, 'm'));
    again.close();
    since.close();
  });

  test('of an earlier life are a gap', async () => {
    const reader = new Listener('?since=1795370300000.5');
    await reader.until(() => reader.records.length > 1);
    assert.equal(reader.records[0]?.kind, 'gap');
    assert.equal(reader.records[0]?.from, '1795370300000.5');
    reader.close();
  });

  test('silence has a comment every two seconds', async () => {
    const reader = new Listener();
    await reader.until(() => reader.text.split('\n\n').length > 2);
    reader.close();
  });

  test('of a reader that does not read are not kept for him; when he reads he hears of the gap', async () => {
    const reader = new Listener();
    await reader.until(() => reader.text !== '');
    reader.response?.pause();
    for (let number = 0; number < 20_000; number++) {
      note(`${number} ${'x'.repeat(900)}`);
      if (number % 500 === 0) await sleep(1);
    }
    reader.response?.resume();
    await reader.until(() => reader.records.some(({ text }) => String(text).startsWith('19999 ')));
    assert.ok(reader.records.some(({ kind }) => kind === 'gap'));
    assert.ok(reader.text.length < 3_000_000, `${reader.text.length} of 20 MB were kept for him`);
    reader.close();
  });

  test('go to so many readers and no more; the next one is told', async () => {
    await sleep(100); // those of the tests before are gone
    const readers = Array.from({ length: 33 }, () => new Listener());
    await readers[0]?.until(() => readers.every(({ status }) => status > 0));
    const statuses = readers.map(({ status }) => status);
    assert.deepEqual(
      statuses.filter((status) => status !== 200),
      [429],
    );
    for (const reader of readers) reader.close();
    const next = new Listener();
    await next.until(() => next.status > 0);
    next.close();
  });
});

test('a closed API leaves no connection and no timer behind', async () => {
  const other = new ImaginedDirector();
  const its = await api.open(other.face, runDirectory(other.directory));
  const socket = connect(runDirectory(other.directory).socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  its.close();
  await closed;
  await other.close();
  assert.equal(existsSync(other.directory), false);
});
