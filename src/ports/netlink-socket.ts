/**
 * Netlink: questions to the kernel and their answers, synchronously and many at a time
 * (netlink(7)).
 *
 * The idea: requests are sent 64 in one datagram (twice as fast as one by one, and never holds the
 * thread for more than some milliseconds), each with a number of its own. The kernel works through
 * them before `send` returns, so the answers already wait; a dump goes on as it is read. Every
 * request is made to end visibly: it asks for an acknowledgement, or it is a dump, which ends with
 * NLMSG_DONE.
 *
 * Only what bears our number and port id and comes from the kernel itself counts. A dump that the
 * kernel changed under (NLM_F_DUMP_INTR) is asked for again. A nf_tables transaction (batch begin
 * ... batch end) is kept in one datagram; its edges are not acknowledged and count as done with
 * their batch.
 *
 * A socket either asks or listens to multicast groups, never both: notifications among answers
 * would have to be kept somewhere, and a full queue of them would swallow answers.
 * Source: linux/netlink.h, linux/netfilter/nfnetlink.h.
 */
import { assert, err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import {
  decodeAcknowledgement,
  decodeMessage,
  encodeMessage,
  joinMessages,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  splitMessages,
} from '../wire/index.ts';
import { ReceiveArena } from './arena.ts';
import { portError } from './errno.ts';
import {
  AF_NETLINK,
  CLOCK_MONOTONIC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUFFORCE,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from './linux.ts';
import { type Native, native } from './native.ts';
import { LinuxPoller } from './poller.ts';
import { netlinkAddress, readNetlinkPortId } from './socket-address.ts';
import type { NetlinkAnswer, NetlinkSocket } from './types.ts';

const ENOBUFS = 105;
const PER_DATAGRAM = 64;
/** Of one datagram outside of a transaction. */
const MAX_DATAGRAM = 32768;
/** The kernel's largest piece of a dump (netlink_dump). */
const STRIDE = 32768;
const SLOTS = 32;
const RECEIVE_BUFFER = 4 << 20;
const SEND_BUFFER = 4 << 20;
const MAX_DUMP_ATTEMPTS = 8;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;

const FAMILIES = {
  route: NETLINK_ROUTE,
  netfilter: NETLINK_NETFILTER,
  generic: NETLINK_GENERIC,
} as const;
export type NetlinkFamily = keyof typeof FAMILIES;

export type NetlinkSocketOptions = {
  readonly family: NetlinkFamily;
  /** Multicast groups by number (RTNLGRP_LINK = 1 ...); such a socket only listens. */
  readonly groups?: readonly number[];
};

/**
 * Opens a socket; joining groups of a family the kernel does not have, or may not show us, is an
 * error.
 */
export function openNetlinkSocket(
  options: NetlinkSocketOptions,
): Result<NetlinkSocket & { readonly portId: number }, PortError> {
  const kernel = native();
  const target = `netlink ${options.family}`;
  const fd = kernel.socket(AF_NETLINK, SOCK_RAW, FAMILIES[options.family]);
  if (fd < 0) return err(portError('socket', target, fd));
  // Larger buffers are a wish: beyond the system's limit they need CAP_NET_ADMIN.
  if (kernel.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0) {
    kernel.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  }
  kernel.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
  // So are the kernel's words (Linux 4.12) and short acknowledgements.
  kernel.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  kernel.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  const groups = options.groups ?? [];
  let result = kernel.bind(fd, netlinkAddress());
  let operation = 'bind';
  for (const group of groups) {
    if (result < 0) break;
    operation = `join group ${group}`;
    result = kernel.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }
  const own = new Uint8Array(kernel.addressStride);
  if (result >= 0) {
    operation = 'getsockname';
    result = kernel.getsockname(fd, own);
  }
  if (result >= 0) return ok(new LinuxNetlinkSocket(kernel, fd, options, readNetlinkPortId(own)));
  kernel.close(fd);
  return err(portError(operation, target, result));
}

/** One request on its way, and what came back so far. */
type Question = {
  readonly message: NetlinkMessage;
  readonly isDump: boolean;
  readonly edge?: 'begin' | 'end';
  sequence: number;
  messages: Uint8Array[];
  answer?: NetlinkAnswer;
  isInterrupted: boolean;
};

class LinuxNetlinkSocket implements NetlinkSocket {
  readonly fd: number;
  readonly portId: number;
  readonly #native: Native;
  readonly #options: NetlinkSocketOptions;
  readonly #arena = new ReceiveArena(SLOTS, STRIDE);
  readonly #poller = new LinuxPoller();
  #sequence = 0;

  constructor(kernel: Native, fd: number, options: NetlinkSocketOptions, portId: number) {
    this.#native = kernel;
    this.fd = fd;
    this.#options = options;
    this.portId = portId;
  }

  request(
    messages: readonly Uint8Array[],
    timeoutMs: Milliseconds = 1000,
  ): Result<readonly NetlinkAnswer[], PortError> {
    assert(this.#options.groups === undefined, 'a netlink socket that listens does not ask');
    const until = this.#native.clock(CLOCK_MONOTONIC) + timeoutMs;
    const questions = messages.map((bytes) => this.#question(bytes));
    for (const group of inDatagrams(questions)) {
      for (let attempt = 1; ; attempt++) {
        const error = this.#exchange(group, until);
        if (error !== undefined) return err(error);
        if (!group.some((question) => question.isInterrupted)) break;
        if (attempt === MAX_DUMP_ATTEMPTS) return err(this.#error('dump', 'changes-too-fast'));
      }
    }
    return ok(questions.map((question) => question.answer ?? { messages: [], errno: 0 }));
  }

  receive(): { readonly messages: readonly Uint8Array[]; readonly overrun: boolean } {
    const messages: Uint8Array[] = [];
    let overrun = false;
    for (;;) {
      const count = this.#arena.receive(this.fd);
      if (count === 0) return { messages, overrun };
      // ENOBUFS; whatever else it were, notifications would be missing, too.
      if (count < 0) overrun = true;
      for (const datagram of this.#fromKernel(count)) {
        const split = splitMessages(datagram);
        if (split.ok) messages.push(...split.value);
        else overrun = true;
      }
      if (count < 0 && count !== -ENOBUFS) return { messages, overrun };
    }
  }

  close(): void {
    this.#native.close(this.fd);
  }

  #question(bytes: Uint8Array): Question {
    const decoded = decodeMessage(bytes);
    assert(decoded.ok, 'a netlink request is a whole message');
    const message = decoded.value;
    const edge = this.#options.family === 'netfilter' ? batchEdge(message.type) : undefined;
    return {
      message,
      isDump: edge === undefined && (message.flags & NLM_F_DUMP) === NLM_F_DUMP,
      ...(edge !== undefined && { edge }),
      sequence: 0,
      messages: [],
      isInterrupted: false,
    };
  }

  /** Sends one datagram of questions and waits until each has its answer. */
  #exchange(questions: readonly Question[], until: number): PortError | undefined {
    const open = new Map<number, Question>();
    for (const question of questions) {
      question.sequence = this.#sequence = (this.#sequence + 1) >>> 0;
      question.messages = [];
      question.isInterrupted = false;
      open.set(question.sequence, question);
    }
    const sent = this.#native.send(this.fd, joinMessages(questions.map(encode)), netlinkAddress());
    if (sent < 0) return this.#error('send', sent);
    while ([...open.values()].some((question) => question.edge === undefined)) {
      const count = this.#arena.receive(this.fd);
      if (count < 0) return this.#error('receive', count);
      if (count > 0) {
        const fault = this.#take(count, open);
        if (fault !== undefined) return this.#error('receive', fault);
        continue;
      }
      const left = until - this.#native.clock(CLOCK_MONOTONIC);
      if (left <= 0) return this.#error('receive', 'timeout');
      this.#poller.wait([this.fd], left);
    }
    return undefined;
  }

  /** Gives each received message to its question; a question that is answered leaves `open`. */
  #take(count: number, open: Map<number, Question>): string | undefined {
    for (let index = 0; index < count; index++) {
      if (this.#arena.isTruncated(index)) return 'message-too-long';
    }
    for (const datagram of this.#fromKernel(count)) {
      const split = splitMessages(datagram);
      if (!split.ok) return split.error;
      for (const bytes of split.value) {
        const decoded = decodeMessage(bytes);
        if (!decoded.ok) return decoded.error;
        const question = open.get(decoded.value.sequence);
        if (question === undefined || decoded.value.port !== this.portId) continue;
        const fault = conclude(question, bytes, decoded.value, open);
        if (fault !== undefined) return fault;
      }
    }
    return undefined;
  }

  /** The received datagrams that the kernel itself sent. */
  *#fromKernel(count: number): Generator<Uint8Array> {
    for (let index = 0; index < count; index++) {
      if (readNetlinkPortId(this.#arena.source(index)) === 0) yield this.#arena.message(index);
    }
  }

  #error(operation: string, result: number | string): PortError {
    return portError(operation, `netlink ${this.#options.family}`, result);
  }
}

function conclude(
  question: Question,
  bytes: Uint8Array,
  message: NetlinkMessage,
  open: Map<number, Question>,
): string | undefined {
  if ((message.flags & NLM_F_DUMP_INTR) !== 0) question.isInterrupted = true;
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) {
    question.messages.push(bytes);
    return undefined;
  }
  // Some families end a dump without an errno: then it went well.
  const isBare = message.type === NLMSG_DONE && message.payload.length < 4;
  const decoded = isBare ? ok({ errno: 0 }) : decodeAcknowledgement(message);
  if (!decoded.ok) return decoded.error;
  const { errno } = decoded.value;
  const kernelText = 'kernelText' in decoded.value ? decoded.value.kernelText : undefined;
  question.answer = {
    messages: question.messages,
    errno,
    ...(kernelText !== undefined && { kernelText }),
  };
  open.delete(question.sequence);
  // A transaction refused at its first message is refused as a whole, and no other answer is sure
  // to come.
  if (question.edge === 'begin' && errno !== 0) {
    for (const other of open.values()) other.answer = { ...question.answer, messages: [] };
    open.clear();
  }
  return undefined;
}

function encode(question: Question): Uint8Array {
  const { message, sequence, edge } = question;
  const flags = message.flags | NLM_F_REQUEST | (edge === undefined ? NLM_F_ACK : 0);
  return encodeMessage({ ...message, flags, sequence });
}

function batchEdge(type: number): 'begin' | 'end' | undefined {
  if (type === NFNL_MSG_BATCH_BEGIN) return 'begin';
  return type === NFNL_MSG_BATCH_END ? 'end' : undefined;
}

/**
 * A dump travels alone (the kernel runs one at a time), a transaction whole, everything else in
 * handfuls.
 */
function inDatagrams(questions: readonly Question[]): readonly (readonly Question[])[] {
  const datagrams: Question[][] = [];
  let current: Question[] = [];
  let length = 0;
  let isTransaction = false;
  const close = () => {
    if (current.length > 0) datagrams.push(current);
    current = [];
    length = 0;
  };
  for (const question of questions) {
    const isAlone = question.isDump && !isTransaction;
    const isFull = current.length === PER_DATAGRAM || length > MAX_DATAGRAM;
    if (isAlone || question.edge === 'begin' || (isFull && !isTransaction)) close();
    if (question.edge === 'begin') {
      assert(!isTransaction, 'a transaction begins within another one');
      isTransaction = true;
    }
    current.push(question);
    length += question.message.payload.length;
    if (question.edge === 'end') isTransaction = false;
    if (isAlone || question.edge === 'end') close();
  }
  assert(!isTransaction, 'a transaction has no end');
  close();
  return datagrams;
}
