/**
 * The virtual-service table in IPVS, over generic netlink: look, write, synchronise connections.
 *
 * The Linux twin of `TablePort`. Nothing is spawned; the original's `ipvsadm` is not needed. Writes go out in batches of
 * 64, in the order of the plan, each with its own answer: "it stands already" and "it is gone already" are what was
 * wished for. IPVS tells nobody about changes, so the table is looked at again and again; a look costs one dump for
 * the services and one for the servers of each.
 * Source: linux/ip_vs.h, net/netfilter/ipvs/ip_vs_ctl.c (errnos).
 */
import { err, ok, type Result } from '../base/index.ts';
import { type PortError, serviceKeyText, type TableOperation } from '../model/index.ts';
import {
  decodeFamily,
  decodeIpvsDaemon,
  decodeIpvsDestination,
  decodeIpvsService,
  decodeIpvsTimeouts,
  encodeFamilyGet,
  encodeIpvsDaemonDump,
  encodeIpvsDaemonStart,
  encodeIpvsDaemonStop,
  encodeIpvsDestinationDump,
  encodeIpvsOperation,
  encodeIpvsServiceDump,
  encodeIpvsTimeouts,
  encodeIpvsTimeoutsGet,
  IPVS_FAMILY,
  type IpvsDaemon,
  type IpvsDestination,
  type IpvsService,
  type IpvsTimeouts,
} from '../wire/index.ts';
import { errnoName, portError } from './errno.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import type { NetlinkAnswer, NetlinkSocket, ObservedService, TablePort } from './types.ts';

const BATCH = 64;
/** struct nlmsghdr */
const HEADER = 16;
/** Bounds one look at a very large table. */
const DUMP_TIMEOUT_MS = 10_000;

/** Refusals that say: it is as you wish. */
const HARMLESS: { readonly [kind in TableOperation['kind']]: readonly string[] } = {
  'add-service': ['EEXIST'],
  'edit-service': [],
  'delete-service': ['ESRCH', 'ENOENT'],
  'add-destination': ['EEXIST'],
  'edit-destination': [],
  'delete-destination': ['ESRCH', 'ENOENT'],
};

/** Opens IPVS of this network namespace; ENOENT when the kernel has none (the module is loaded by the asking). */
export function openIpvs(): Result<IpvsPort, PortError> {
  const socket = openNetlinkSocket({ family: 'generic' });
  if (!socket.ok) return socket;
  const answers = socket.value.request([encodeFamilyGet(IPVS_FAMILY)]);
  const family = answers.ok ? familyOf(answers.value[0]) : answers;
  if (family.ok) return ok(new IpvsPort(socket.value, family.value));
  socket.value.close();
  return family;
}

function familyOf(answer: NetlinkAnswer | undefined): Result<number, PortError> {
  const refuse = (code: string) => err(portError('open', 'IPVS', code));
  if (answer === undefined) return refuse('no-answer');
  if (answer.errno !== 0) return refuse(errnoName(answer.errno));
  const [bytes] = answer.messages;
  const family = bytes === undefined ? undefined : decodeFamily(bytes);
  return family?.ok === true ? ok(family.value.id) : refuse('bad-answer');
}

/** A row and the message that said it: the same message says the same row, and need not be read again. */
type Seen<T> = { readonly bytes: Uint8Array; readonly value: T };
type SeenService = IpvsService & {
  readonly question: Uint8Array;
  rows: readonly Seen<IpvsDestination>[];
};

export class IpvsPort implements TablePort {
  readonly plane = 'ipvs';
  readonly #socket: NetlinkSocket;
  readonly #family: number;
  #seen: readonly Seen<SeenService>[] = [];

  constructor(socket: NetlinkSocket, family: number) {
    this.#socket = socket;
    this.#family = family;
  }

  observe(): Result<readonly ObservedService[], PortError> {
    const dumped = this.#ask('dump services', [encodeIpvsServiceDump(this.#family)]);
    if (!dumped.ok) return dumped;
    const seen = decodeSeen(dumped.value, this.#seen, (bytes) => this.#decodeService(bytes));
    this.#seen = seen;
    const questions = seen.map(({ value }) => value.question);
    const answers = this.#socket.request(questions, DUMP_TIMEOUT_MS);
    if (!answers.ok) return answers;
    return ok(
      seen.map(({ value }, index) => {
        const { key } = value.service;
        // A service that went away between the two looks has no servers, and will be missed at the next one.
        value.rows = decodeSeen(answers.value.slice(index, index + 1), value.rows, (bytes) =>
          decodeIpvsDestination(bytes, key),
        );
        const { service, counters } = value;
        return { service, counters, destinations: value.rows.map((row) => row.value) };
      }),
    );
  }

  #decodeService(bytes: Uint8Array): Result<SeenService, unknown> {
    const decoded = decodeIpvsService(bytes);
    if (!decoded.ok) return decoded;
    const question = encodeIpvsDestinationDump(this.#family, decoded.value.service.key);
    return ok({ ...decoded.value, question, rows: [] });
  }

  apply(operations: readonly TableOperation[]): readonly (PortError | undefined)[] {
    const results: (PortError | undefined)[] = [];
    for (let start = 0; start < operations.length; start += BATCH) {
      const batch = operations.slice(start, start + BATCH);
      const answers = this.#socket.request(
        batch.map((operation) => encodeIpvsOperation(this.#family, operation)),
      );
      if (!answers.ok) {
        const { code } = answers.error;
        return [...results, ...operations.slice(start).map((left) => writeError(left, code))];
      }
      for (const [index, operation] of batch.entries()) {
        results.push(refusal(operation, answers.value[index]));
      }
    }
    return results;
  }

  /** Seconds; 0 leaves the kernel's value. */
  setTimeouts(timeouts: IpvsTimeouts): PortError | undefined {
    const asked = this.#ask('set timeouts', [encodeIpvsTimeouts(this.#family, timeouts)]);
    return asked.ok ? undefined : asked.error;
  }

  timeouts(): Result<IpvsTimeouts, PortError> {
    const asked = this.#ask('get timeouts', [encodeIpvsTimeoutsGet(this.#family)]);
    if (!asked.ok) return asked;
    const [found] = decodeAll(asked.value, decodeIpvsTimeouts);
    return found === undefined ? err(portError('get timeouts', 'IPVS', 'bad-answer')) : ok(found);
  }

  daemons(): Result<readonly IpvsDaemon[], PortError> {
    const asked = this.#ask('dump daemons', [encodeIpvsDaemonDump(this.#family)]);
    return asked.ok ? ok(decodeAll(asked.value, decodeIpvsDaemon)) : asked;
  }

  /** Makes these daemons run and no others; one that runs as wished is left alone. */
  setDaemons(wanted: readonly IpvsDaemon[]): PortError | undefined {
    const running = this.daemons();
    if (!running.ok) return running.error;
    const runs = (daemon: IpvsDaemon) => running.value.some((other) => isSameDaemon(daemon, other));
    const stops = running.value
      .filter((daemon) => !wanted.some((wish) => isSameDaemon(wish, daemon)))
      .map(({ state }) => encodeIpvsDaemonStop(this.#family, state));
    const starts = wanted
      .filter((daemon) => !runs(daemon))
      .map((daemon) => encodeIpvsDaemonStart(this.#family, daemon));
    const asked = this.#ask('set the sync daemon', [...stops, ...starts]);
    return asked.ok ? undefined : asked.error;
  }

  close(): void {
    this.#socket.close();
  }

  /** All answered without an errno, or the first refusal. */
  #ask(
    operation: string,
    messages: readonly Uint8Array[],
  ): Result<readonly NetlinkAnswer[], PortError> {
    if (messages.length === 0) return ok([]);
    const answers = this.#socket.request(messages);
    if (!answers.ok) return answers;
    const refused = answers.value.find(({ errno }) => errno !== 0);
    if (refused === undefined) return answers;
    return err(portError(operation, 'IPVS', errnoName(refused.errno), refused.kernelText));
  }
}

function isSameDaemon(a: IpvsDaemon, b: IpvsDaemon): boolean {
  return a.state === b.state && a.interface === b.interface && a.syncId === b.syncId;
}

/**
 * The rows of a dump, those that are at the place and of the bytes they had last time taken from there. A table at rest
 * is then compared, not read: what of a look at 11,000 rows is ours costs a tenth (49 -> 5 ms).
 */
function decodeSeen<T>(
  answers: readonly NetlinkAnswer[],
  before: readonly Seen<T>[],
  decode: (bytes: Uint8Array) => Result<T, unknown>,
): readonly Seen<T>[] {
  const seen: Seen<T>[] = [];
  for (const { messages } of answers) {
    for (const bytes of messages) {
      const known = before[seen.length];
      if (known !== undefined && isSameMessage(known.bytes, bytes)) {
        seen.push(known);
        continue;
      }
      const decoded = decode(bytes);
      if (decoded.ok) seen.push({ bytes, value: decoded.value });
    }
  }
  return seen;
}

/** The netlink header in front has a number of its own in every answer. */
function isSameMessage(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a.subarray(HEADER), b.subarray(HEADER)) === 0;
}

/** What cannot be read was written by somebody with another kernel: it is not ours, and is passed over. */
function decodeAll<T>(
  answers: readonly NetlinkAnswer[],
  decode: (bytes: Uint8Array) => Result<T, unknown>,
): readonly T[] {
  return answers.flatMap(({ messages }) =>
    messages.flatMap((bytes) => {
      const decoded = decode(bytes);
      return decoded.ok ? [decoded.value] : [];
    }),
  );
}

function refusal(
  operation: TableOperation,
  answer: NetlinkAnswer | undefined,
): PortError | undefined {
  if (answer === undefined) return writeError(operation, 'no-answer');
  if (answer.errno === 0) return undefined;
  const code = errnoName(answer.errno);
  return HARMLESS[operation.kind].includes(code)
    ? undefined
    : writeError(operation, code, answer.kernelText);
}

function writeError(operation: TableOperation, code: string, kernelText?: string): PortError {
  const key = 'service' in operation ? operation.service.key : operation.key;
  const server = 'destination' in operation ? ` -> ${operation.destination.address}` : '';
  const words = operation.kind.replace('-', ' ');
  return portError(words, `${serviceKeyText(key)}${server}`, code, kernelText);
}
