import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ip as address, mac } from '../base/index.ts';
import { buildGate, removeGate } from '../wire/index.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { openNetlinkSocket } from './netlink-socket.ts';

enterNamespace();

const nft = (...words: readonly string[]) =>
  spawnSync('nft', words, { encoding: 'utf8', timeout: 10_000 });

test('nft(8) reads in the kernel what the gate was meant to be', { skip: withoutNft() }, () => {
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  const opened = openNetlinkSocket({ family: 'netfilter' });
  assert.ok(opened.ok, JSON.stringify(opened));
  const socket = opened.value;
  const apply = (messages: readonly Uint8Array[]) => {
    const answers = socket.request(messages);
    assert.ok(answers.ok, JSON.stringify(answers));
    assert.deepEqual(
      answers.value.filter(({ errno }) => errno !== 0),
      [],
    );
  };
  const table = 'piranha';
  apply(
    buildGate({
      table,
      flags: 0,
      vips: [address('198.51.100.100'), address('fd77::100')],
      devices: ['eth0', 'eth1'],
      ownMacs: [mac('02:00:00:00:00:11')],
      hasEgress: true,
      leaseMs: 5000,
    }),
  );
  const listed = nft('list', 'table', 'netdev', table).stdout.replaceAll(/\s+/g, ' ');
  for (const pattern of [
    /set vips4 \{[^}]*elements = \{ 0xc6336464/,
    /set vips6 \{[^}]*elements = \{ 0xfd770000000000000000000000000100/,
    /set lease \{[^}]*size 64 [^}]*timeout[^}]*elements = \{ [^}]*timeout 5s expires [34]s/,
    /chain ingress \{ type filter hook ingress devices = \{ eth[01], eth[01] \} priority -500; policy accept;/,
    /chain egress \{ type filter hook egress devices = \{ eth[01], eth[01] \} priority -500; policy accept;/,
    /arp daddr ip @vips4 jump gate/,
    /ip daddr @vips4 jump gate/,
    /ip saddr @vips4 jump gate/,
    /ip6 daddr @vips6 jump gate/,
    /ip6 saddr @vips6 jump gate/,
    /!= @lease counter packets 0 bytes 0 drop/,
  ]) {
    assert.match(listed, pattern);
  }
  apply(removeGate(table));
  assert.equal(nft('list', 'ruleset').stdout.trim(), '');
  socket.close();
});

function withoutNft(): string | false {
  return nft('--version').error === undefined ? false : 'needs nft(8)';
}
