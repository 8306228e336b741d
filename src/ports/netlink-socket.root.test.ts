import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { concatBytes } from '../base/index.ts';
import {
  decodeMessage,
  encodeMessage,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  textAttribute,
} from '../wire/index.ts';
import { enterNamespace } from './enter-namespace.ts';
import { SO_RCVBUFFORCE, SOL_SOCKET } from './linux.ts';
import { native } from './native.ts';
import { type NetlinkSocketOptions, openNetlinkSocket } from './netlink-socket.ts';
import { LinuxPoller } from './poller.ts';

enterNamespace();

function open(options: NetlinkSocketOptions) {
  const opened = openNetlinkSocket(options);
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTNLGRP_IPV4_IFADDR = 5;

/** 10.a.b.c/32 on lo. */
function newAddress(number: number): Uint8Array {
  const info = [2, 32, 0, 0, 1, 0, 0, 0]; // struct ifaddrmsg: AF_INET, /32, no flags, host scope, lo
  const bytes = [10, (number >> 16) & 0xff, (number >> 8) & 0xff, number & 0xff];
  const IFA_LOCAL = 2;
  return encodeMessage({
    type: RTM_NEWADDR,
    flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
    payload: Uint8Array.of(...info, 8, 0, IFA_LOCAL, 0, ...bytes),
  });
}

const DUMP = encodeMessage({
  type: RTM_GETADDR,
  flags: NLM_F_REQUEST | NLM_F_DUMP,
  payload: Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0),
});

test('thousands of addresses go in with one request and come out with one dump', () => {
  const socket = open({ family: 'route' });
  const count = 3000;
  const messages = Array.from({ length: count }, (_, index) => newAddress(index + 1));
  const added = socket.request(messages, 20_000);
  assert.ok(added.ok, JSON.stringify(added));
  assert.deepEqual(new Set(added.value.map(({ errno }) => errno)), new Set([0]));
  const dumped = socket.request([DUMP], 20_000);
  assert.ok(dumped.ok);
  assert.equal(dumped.value[0]?.messages.length, count + 1); // and 127.0.0.1
  socket.close();
});

test('what is there already is told by its errno, beside what succeeded', () => {
  const socket = open({ family: 'route' });
  const answers = socket.request([newAddress(70_001), newAddress(70_001), newAddress(70_002)]);
  socket.close();
  assert.ok(answers.ok);
  const EEXIST = 17;
  assert.deepEqual(
    answers.value.map(({ errno }) => errno),
    [0, EEXIST, 0],
  );
});

test('who listens hears of changes, and of having missed some', () => {
  const ears = open({ family: 'route', groups: [RTNLGRP_IPV4_IFADDR] });
  const socket = open({ family: 'route' });
  const poller = new LinuxPoller();
  assert.deepEqual(poller.wait([ears.fd], 0), []);
  socket.request([newAddress(80_001)]);
  assert.deepEqual(poller.wait([ears.fd], 1000), [ears.fd]);
  const heard = ears.receive();
  assert.equal(heard.overrun, false);
  assert.deepEqual(
    heard.messages.map((bytes) => {
      const decoded = decodeMessage(bytes);
      return decoded.ok && decoded.value.type;
    }),
    [RTM_NEWADDR],
  );
  native().setsockopt(ears.fd, SOL_SOCKET, SO_RCVBUFFORCE, 4096);
  socket.request(Array.from({ length: 500 }, (_, index) => newAddress(90_000 + index)));
  assert.deepEqual(poller.wait([ears.fd], 1000), [ears.fd]);
  const much = ears.receive();
  assert.equal(much.overrun, true);
  assert.ok(much.messages.length < 500);
  assert.deepEqual(ears.receive(), { messages: [], overrun: false });
  ears.close();
  socket.close();
});

test('a dump under constant change is asked for again until it is whole', () => {
  const socket = open({ family: 'route' });
  // Another process removes and adds the oldest addresses as fast as it can; a dump that goes on
  // where it was then misses some of those that stay.
  const ours = (number: number) => `10.0.0.${number}/32 dev lo`;
  const changes = Array.from({ length: 100 }, (_, index) => index + 1).flatMap((number) => [
    `addr del ${ours(number)}`,
    `addr add ${ours(number)}`,
  ]);
  const busy = spawn('sh', ['-c', 'while :; do echo "$0" | ip -batch -; done', changes.join('\n')]);
  let whole = 0;
  try {
    for (let round = 0; round < 60; round++) {
      const dumped = socket.request([DUMP], 5000);
      if (!dumped.ok) {
        assert.equal(dumped.error.code, 'changes-too-fast');
        continue;
      }
      whole++;
      const seen = new Set(
        dumped.value[0]?.messages.map((bytes) => bytes.subarray(28, 32).join('.')),
      );
      for (let number = 101; number <= 3000; number++) {
        const address = `10.0.${number >> 8}.${number & 0xff}`;
        assert.ok(seen.has(address), `${address} is missing in round ${round}`);
      }
    }
  } finally {
    busy.kill('SIGKILL');
  }
  assert.ok(whole > 0, 'no dump was whole');
  socket.close();
});

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWTABLE = NFNL_SUBSYS_NFTABLES << 8;
const NFT_MSG_DELTABLE = NFT_MSG_NEWTABLE | 2;
const NFPROTO_IPV4 = 2;

/** struct nfgenmsg: family, version 0, resource id in network order. */
function nfMessage(type: number, family: number, resource: number, ...rest: Uint8Array[]) {
  const payload = concatBytes(Uint8Array.of(family, 0, resource >> 8, resource & 0xff), ...rest);
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_CREATE, payload });
}

const BEGIN = nfMessage(NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES);
const END = nfMessage(NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES);
const named = (type: number, name: string) =>
  nfMessage(type, NFPROTO_IPV4, 0, textAttribute(1, name));
const add = (name: string) => named(NFT_MSG_NEWTABLE, name);
const remove = (name: string) => named(NFT_MSG_DELTABLE, name);

test('a transaction of nf_tables takes effect as a whole or not at all', () => {
  const socket = open({ family: 'netfilter' });
  const errnos = (...messages: Uint8Array[]) => {
    const answers = socket.request([BEGIN, ...messages, END]);
    assert.ok(answers.ok, JSON.stringify(answers));
    return answers.value.map(({ errno }) => errno);
  };
  const ENOENT = 2;
  assert.deepEqual(errnos(add('one'), add('two')), [0, 0, 0, 0]);
  assert.deepEqual(errnos(remove('one'), remove('none'), add('three')), [0, 0, ENOENT, 0, 0]);
  assert.deepEqual(errnos(remove('three')), [0, ENOENT, 0]);
  assert.deepEqual(errnos(remove('one'), remove('two')), [0, 0, 0, 0]);
  // Two in one request, and longer than an ordinary datagram of questions.
  const many = Array.from({ length: 200 }, (_, index) => add(`t${index}`));
  const answers = socket.request([BEGIN, ...many, END, BEGIN, remove('t0'), END]);
  assert.ok(answers.ok);
  assert.deepEqual(new Set(answers.value.map(({ errno }) => errno)), new Set([0]));
  socket.close();
});

test('a transaction without its end is our own mistake', () => {
  const socket = open({ family: 'netfilter' });
  assert.throws(() => socket.request([BEGIN, add('one')]), { name: 'AssertionError' });
  assert.throws(() => socket.request([BEGIN, add('one'), BEGIN, END]), { name: 'AssertionError' });
  socket.close();
});

test('a transaction that the kernel refuses at its beginning is refused in all its parts', () => {
  const socket = open({ family: 'netfilter' });
  const noSuchSubsystem = nfMessage(NFNL_MSG_BATCH_BEGIN, 0, 200);
  const answers = socket.request([noSuchSubsystem, add('one'), add('two'), END]);
  socket.close();
  assert.ok(answers.ok, JSON.stringify(answers));
  const errnos = answers.value.map(({ errno }) => errno);
  assert.notEqual(errnos[0], 0);
  assert.deepEqual(new Set(errnos).size, 1);
});

test('questions that the kernel passes over end with the time they were given', () => {
  const socket = open({ family: 'netfilter' });
  const start = performance.now();
  // A message without its nfgenmsg makes the kernel drop the whole transaction without a word.
  const short = encodeMessage({ type: NFT_MSG_NEWTABLE, flags: 0, payload: new Uint8Array(0) });
  const answers = socket.request([BEGIN, add('one'), short, END], 120);
  const took = performance.now() - start;
  assert.deepEqual(answers, {
    ok: false,
    error: { operation: 'receive', target: 'netlink netfilter', code: 'timeout' },
  });
  assert.ok(took >= 119 && took < 5000, `took ${took} ms`);
  // What comes late is not taken for the answer to something else.
  const next = socket.request([BEGIN, add('three'), remove('three'), END]);
  assert.ok(next.ok);
  assert.deepEqual(
    next.value.map(({ errno }) => errno),
    [0, 0, 0, 0],
  );
  socket.close();
});

test('a forged acknowledgement of another process of root is passed over', () => {
  const socket = open({ family: 'route' });
  const forger = open({ family: 'route' });
  const forged = encodeMessage({
    type: 2,
    flags: 0,
    sequence: 1,
    port: socket.portId,
    payload: new Uint8Array(20),
  });
  const to = Uint8Array.of(16, 0, 0, 0, ...new Uint8Array(Uint32Array.of(socket.portId, 0).buffer));
  assert.equal(native().send(forger.fd, forged, to), forged.length);
  const answers = socket.request([newAddress(70_001)]);
  const EEXIST = 17;
  assert.ok(answers.ok);
  assert.equal(answers.value[0]?.errno, EEXIST);
  socket.close();
  forger.close();
});
