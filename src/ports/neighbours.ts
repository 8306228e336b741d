/**
 * Neighbour entries that we pin, and the default gateways, over rtnetlink.
 *
 * Heartbeats are unicast: when frames of one direction are lost, ARP answers are lost, too, the kernel's entry for the
 * partner fails, and our heartbeats stop with it. A pinned (permanent) entry is never asked for and never fails, and a
 * datagram to a partner without power leaves at once instead of waiting in a queue.
 *
 * Source: rtnetlink(7), ip-neighbour(8) "permanent".
 */
import { err, type IpAddress, type MacAddress, ok, type Result } from '../base/index.ts';
import type { Gateway, PortError } from '../model/index.ts';
import {
  decodeRtnl,
  encodeNeighbourAdd,
  encodeNeighbourDelete,
  encodeRouteDump,
  type RouteRow,
} from '../wire/index.ts';
import { errnoName, portError } from './errno.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import type { NetlinkSocket } from './types.ts';

const MAIN_TABLE = 254;

export interface NeighbourPort {
  /** Needs CAP_NET_ADMIN. */
  pin(interfaceIndex: number, address: IpAddress, mac: MacAddress): PortError | undefined;
  /** One that is not there is no error. */
  unpin(interfaceIndex: number, address: IpAddress): PortError | undefined;
  close(): void;
}

export function openNeighbourPort(): Result<NeighbourPort, PortError> {
  const socket = openNetlinkSocket({ family: 'route' });
  if (!socket.ok) return socket;
  const request = (operation: string, target: string, message: Uint8Array, harmless: string[]) => {
    const error = ask(socket.value, operation, target, message);
    return error !== undefined && harmless.includes(error.code) ? undefined : error;
  };
  return ok({
    pin: (interfaceIndex, address, mac) =>
      request(
        'pin neighbour',
        `${address} at ${mac}`,
        encodeNeighbourAdd({ interfaceIndex, address, mac }),
        [],
      ),
    unpin: (interfaceIndex, address) =>
      request('unpin neighbour', address, encodeNeighbourDelete({ interfaceIndex, address }), [
        'ENOENT',
        'ENODEV',
        'ENXIO',
      ]),
    close: () => socket.value.close(),
  });
}

function ask(
  socket: NetlinkSocket,
  operation: string,
  target: string,
  message: Uint8Array,
): PortError | undefined {
  const answers = socket.request([message]);
  if (!answers.ok) return answers.error;
  const [answer] = answers.value;
  if (answer === undefined) return portError(operation, target, 'no-answer');
  if (answer.errno === 0) return undefined;
  return portError(operation, target, errnoName(answer.errno), answer.kernelText);
}

/** The gateways of the default routes of both families. Reads the whole table: not for the pulse worker. */
export function observeGateways(): Result<readonly Gateway[], PortError> {
  const socket = openNetlinkSocket({ family: 'route' });
  if (!socket.ok) return socket;
  const answers = socket.value.request([encodeRouteDump(4), encodeRouteDump(6)]);
  socket.value.close();
  if (!answers.ok) return err(answers.error);
  const found = new Map<string, Gateway>();
  for (const { messages } of answers.value) {
    for (const bytes of messages) {
      const notice = decodeRtnl(bytes);
      if (!notice.ok || notice.value.kind !== 'route') continue;
      for (const gateway of gatewaysOf(notice.value.route)) {
        found.set(`${gateway.interfaceIndex} ${gateway.address}`, gateway);
      }
    }
  }
  return ok([...found.values()]);
}

function gatewaysOf({ table, prefixLength, hops }: RouteRow): readonly Gateway[] {
  if (table !== MAIN_TABLE || prefixLength !== 0) return [];
  return hops.flatMap(({ interfaceIndex, gateway }) =>
    gateway === undefined ? [] : [{ interfaceIndex, address: gateway }],
  );
}
