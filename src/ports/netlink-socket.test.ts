import assert from 'node:assert/strict';
import test from 'node:test';
import { AssertionError, concatBytes, utf8 } from '../base/index.ts';
import {
  AttributeReader,
  decodeMessage,
  encodeMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  u8Attribute,
} from '../wire/index.ts';
import { type NetlinkSocketOptions, openNetlinkSocket } from './netlink-socket.ts';

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const IFLA_IFNAME = 3;
/** struct ifinfomsg */
const INTERFACE_INFO = 16;

function open(options: NetlinkSocketOptions = { family: 'route' }) {
  const opened = openNetlinkSocket(options);
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

function linkRequest(
  index: number,
  flags = NLM_F_REQUEST,
  ...attributes: Uint8Array[]
): Uint8Array {
  const info = new Uint8Array(INTERFACE_INFO);
  new DataView(info.buffer).setInt32(4, index, true);
  return encodeMessage({ type: RTM_GETLINK, flags, payload: concatBytes(info, ...attributes) });
}

const DUMP = linkRequest(0, NLM_F_REQUEST | NLM_F_DUMP);

function linkName(bytes: Uint8Array): string | undefined {
  const decoded = decodeMessage(bytes);
  assert.ok(decoded.ok && decoded.value.type === RTM_NEWLINK);
  return new AttributeReader(decoded.value.payload.subarray(INTERFACE_INFO)).text(IFLA_IFNAME);
}

test('a dump gives every link, one question gives one, and a wrong one the errno', () => {
  const socket = open();
  const answers = socket.request([DUMP, linkRequest(1), linkRequest(0x7fffffff), DUMP]);
  socket.close();
  assert.ok(answers.ok);
  const [all, loopback, nobody, again] = answers.value;
  assert.equal(all?.errno, 0);
  assert.ok(all.messages.map(linkName).includes('lo'));
  assert.equal(again?.messages.length, all.messages.length);
  assert.deepEqual(loopback?.messages.map(linkName), ['lo']);
  assert.equal(loopback?.errno, 0);
  assert.deepEqual(nobody, { messages: [], errno: 19 });
});

test('the kernel says in words what it did not like', () => {
  const socket = open();
  const IFLA_EXT_MASK = 29; // four bytes, not one
  const answers = socket.request([linkRequest(1, NLM_F_REQUEST, u8Attribute(IFLA_EXT_MASK, 1))]);
  socket.close();
  assert.ok(answers.ok);
  const [answer] = answers.value;
  assert.deepEqual(answer, {
    messages: [],
    errno: 34,
    kernelText: 'Attribute failed policy validation',
  });
});

test('a thousand questions in one request are answered in their order', () => {
  const socket = open();
  const answers = socket.request(
    Array.from({ length: 1000 }, (_, index) => linkRequest(index % 2 === 0 ? 1 : 0x7fffffff)),
  );
  socket.close();
  assert.ok(answers.ok);
  assert.equal(answers.value.length, 1000);
  for (const [index, answer] of answers.value.entries()) {
    assert.equal(answer.errno, index % 2 === 0 ? 0 : 19);
    assert.equal(answer.messages.length, index % 2 === 0 ? 1 : 0);
  }
});

test('nothing asked, nothing answered', () => {
  const socket = open();
  assert.deepEqual(socket.request([]), { ok: true, value: [] });
  socket.close();
});

test('a socket that listens does not ask', () => {
  const RTNLGRP_LINK = 1;
  const socket = open({ family: 'route', groups: [RTNLGRP_LINK] });
  assert.throws(() => socket.request([DUMP]), AssertionError);
  assert.deepEqual(socket.receive(), { messages: [], overrun: false });
  socket.close();
});

test('a group that the kernel does not have is refused by number', () => {
  assert.deepEqual(openNetlinkSocket({ family: 'route', groups: [1, 9999] }), {
    ok: false,
    error: { operation: 'join group 9999', target: 'netlink route', code: 'EINVAL' },
  });
});

test('a request that is no whole message is our own mistake', () => {
  const socket = open();
  assert.throws(() => socket.request([utf8('short')]), AssertionError);
  socket.close();
});

test('a closed socket answers with its errno', () => {
  const socket = open();
  socket.close();
  assert.deepEqual(socket.request([DUMP]), {
    ok: false,
    error: { operation: 'send', target: 'netlink route', code: 'EBADF' },
  });
});
