import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { peerOf, userId, userText } from './peer.ts';

/** A connection to ourselves; gives the end that was called. */
async function called(path: string | number): Promise<{ readonly end: Socket; close(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const address = server.address();
  const caller =
    typeof address === 'object' && address !== null ? connect(address.port) : connect(`${path}`);
  const end = await accepted;
  const close = () => {
    caller.destroy();
    end.destroy();
    server.close();
  };
  return { end, close };
}

test('the kernel names process, user and groups of a caller', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pirp-'));
  const { end, close } = await called(join(directory, 'sock'));
  const peer = peerOf(end);
  close();
  rmSync(directory, { recursive: true });
  assert.ok(peer.ok);
  assert.equal(peer.value.pid, process.pid);
  assert.equal(peer.value.uid, process.getuid?.());
  assert.equal(peer.value.gids[0], process.getgid?.());
  for (const gid of process.getgroups?.() ?? []) assert.ok(peer.value.gids.includes(gid));
});

test('a closed socket, and one of TCP, have no peer that could be named', async () => {
  const { end, close } = await called(0);
  const peer = peerOf(end);
  assert.equal(peer.ok ? '' : peer.error.code, 'not-a-unix-socket');
  close();
  const gone = peerOf(end);
  assert.equal(gone.ok ? '' : gone.error.code, 'closed');
});

test('users are named from the machine’s own file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pirp-'));
  const file = join(directory, 'passwd');
  writeFileSync(file, 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n');
  assert.equal(userText(0, file), 'root');
  assert.equal(userText(1000, file), 'alice (uid 1000)');
  assert.equal(userText(1001, file), 'uid 1001');
  assert.equal(userId('alice', file), 1000);
  assert.equal(userId('bob', file), undefined);
  assert.equal(userText(1000, join(directory, 'none')), 'uid 1000');
  rmSync(directory, { recursive: true });
});
