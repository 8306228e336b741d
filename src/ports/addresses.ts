/**
 * Links and addresses of this network namespace, over rtnetlink: look, write, hear of changes.
 *
 * Two sockets, since one that listens cannot ask (netlink-socket.ts). Writes go out in batches: a batch is one system
 * call each way, and when the kernel stops answering, what was not sent is told apart from what was. "It stands
 * already" and "it is gone already" are what was wished for, hence no errors: someone else may always be faster.
 *
 * Our own writes come back as notifications, thousands in a takeover; the kernel marks those of IPv4 with the port id
 * of who asked, and they are passed over. Rejected: keeping a copy of the rows up to date from the notifications; a
 * lost one would leave it wrong for ever, while a fresh look costs 30 ms for ten thousand rows.
 *
 * Source: rtnetlink(7); net/ipv4/devinet.c, net/ipv6/addrconf.c (errnos).
 */
import { err, ipFamily, ok, type Result, unreachable } from '../base/index.ts';
import type {
  AddressOperation,
  AddressRow,
  KernelAddresses,
  Link,
  PortError,
} from '../model/index.ts';
import {
  decodeMessage,
  decodeRtnl,
  encodeAddressAdd,
  encodeAddressDelete,
  encodeAddressDump,
  encodeLinkDump,
  RTNLGRP,
} from '../wire/index.ts';
import { errnoName, portError } from './errno.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import type { AddressPort, NetlinkAnswer, NetlinkSocket } from './types.ts';

const BATCH = 64;
const TARGET = 'rtnetlink';

/** Refusals that say: it is as you wish. ENODEV and ENXIO: with the device, or its IPv6, the address went, too. */
const HARMLESS = {
  'add-address': ['EEXIST'],
  'delete-address': ['EADDRNOTAVAIL', 'ENODEV', 'ENXIO'],
} as const;

/** Opens both sockets; adding and deleting need CAP_NET_ADMIN, which only the first write shows. */
export function openAddressPort(): Result<AddressPort, PortError> {
  const asking = openNetlinkSocket({ family: 'route' });
  if (!asking.ok) return asking;
  const groups = [RTNLGRP.link, RTNLGRP.ipv4Address, RTNLGRP.ipv6Address];
  const listening = openNetlinkSocket({ family: 'route', groups });
  if (listening.ok) return ok(new LinuxAddressPort(asking.value, listening.value));
  asking.value.close();
  return listening;
}

class LinuxAddressPort implements AddressPort {
  readonly #asking: NetlinkSocket & { readonly portId: number };
  readonly #listening: NetlinkSocket;
  /** As last observed; for messages to people. */
  #names: ReadonlyMap<number, string> = new Map();

  constructor(asking: NetlinkSocket & { readonly portId: number }, listening: NetlinkSocket) {
    this.#asking = asking;
    this.#listening = listening;
  }

  get eventFd(): number {
    return this.#listening.fd;
  }

  drainEvents(): boolean {
    const { messages, overrun } = this.#listening.receive();
    return overrun || messages.some((message) => !this.#isOwnEcho(message));
  }

  #isOwnEcho(bytes: Uint8Array): boolean {
    const message = decodeMessage(bytes);
    return message.ok && message.value.port === this.#asking.portId;
  }

  observe(): Result<KernelAddresses, PortError> {
    const answers = this.#asking.request([encodeLinkDump(), encodeAddressDump()]);
    if (!answers.ok) return answers;
    const links: Link[] = [];
    const rows: AddressRow[] = [];
    for (const answer of answers.value) {
      const error = collect(answer, links, rows);
      if (error !== undefined) return err(error);
    }
    this.#names = new Map(links.map(({ index, name }) => [index, name]));
    return ok({ links, rows });
  }

  apply(operations: readonly AddressOperation[]): readonly (PortError | undefined)[] {
    const results: (PortError | undefined)[] = [];
    for (let start = 0; start < operations.length; start += BATCH) {
      const batch = operations.slice(start, start + BATCH);
      const answers = this.#asking.request(batch.map(encode));
      if (!answers.ok) {
        // The socket itself failed: what is left was not tried.
        const { code } = answers.error;
        const left = operations.slice(start);
        return [...results, ...left.map((operation) => this.#error(operation, code))];
      }
      for (const [index, operation] of batch.entries()) {
        results.push(this.#refusal(operation, answers.value[index]));
      }
    }
    return results;
  }

  close(): void {
    this.#asking.close();
    this.#listening.close();
  }

  #refusal(operation: AddressOperation, answer: NetlinkAnswer | undefined): PortError | undefined {
    if (answer === undefined) return this.#error(operation, 'no-answer');
    if (answer.errno === 0) return undefined;
    const code = errnoName(answer.errno);
    if (HARMLESS[operation.kind].some((harmless) => harmless === code)) return undefined;
    return this.#error(operation, code, answer.kernelText);
  }

  #error({ kind, row }: AddressOperation, code: string, kernelText?: string): PortError {
    const device = this.#names.get(row.interfaceIndex) ?? `interface ${row.interfaceIndex}`;
    const operation = kind === 'add-address' ? 'add address' : 'delete address';
    return portError(operation, `${row.address} on ${device}`, code, kernelText);
  }
}

function encode(operation: AddressOperation): Uint8Array {
  switch (operation.kind) {
    case 'add-address':
      return encodeAddressAdd(operation.row, lifetimeOf(operation));
    case 'delete-address':
      return encodeAddressDelete(operation.row);
    default:
      return unreachable(operation);
  }
}

/** A VIP over IPv6 is never a source, with a lifetime or without (wire/rtnl.ts). */
function lifetimeOf({ row, validSeconds }: Extract<AddressOperation, { kind: 'add-address' }>) {
  if (validSeconds === undefined) return undefined;
  return { validSeconds, preferredSeconds: ipFamily(row.address) === 6 ? 0 : validSeconds };
}

/** Puts the rows of one dump to the others; an error when the kernel refused it or it makes no sense. */
function collect(answer: NetlinkAnswer, links: Link[], rows: AddressRow[]): PortError | undefined {
  if (answer.errno !== 0) return portError('dump', TARGET, answer.errno, answer.kernelText);
  for (const bytes of answer.messages) {
    const notice = decodeRtnl(bytes);
    if (!notice.ok) return portError('dump', TARGET, notice.error);
    if (notice.value.kind === 'link') links.push(notice.value.link);
    if (notice.value.kind === 'address') {
      const { flags, lifetime, ...row } = notice.value.address;
      rows.push(row);
    }
  }
  return undefined;
}
