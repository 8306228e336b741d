/**
 * What the kernel knows beside the rows that a director writes: by which way a packet to an address leaves, and the flags
 * of its addresses. For those who look, never for the pulse worker.
 *
 * The kernel is asked for each way (RTM_GETROUTE with a destination) instead of reading its tables: rules, metrics and
 * prefixes are then its business. Source: rtnetlink(7).
 */
import { err, type IpAddress, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import {
  decodeRtnl,
  encodeAddressDump,
  encodeRouteGet,
  type KernelAddress,
  type RtnlNotice,
} from '../wire/index.ts';
import { openNetlinkSocket } from './netlink-socket.ts';

export type Way = {
  readonly interfaceIndex: number;
  /** The address of ours that the packet leaves with; absent where the kernel did not say. */
  readonly source?: IpAddress;
  /** Absent: the address is on the segment itself. */
  readonly gateway?: IpAddress;
};

/** The way to each address; one that cannot be reached is not in the answer. */
export function observeWays(
  addresses: readonly IpAddress[],
): Result<ReadonlyMap<IpAddress, Way>, PortError> {
  const answers = ask(addresses.map(encodeRouteGet));
  if (!answers.ok) return answers;
  const ways = new Map<IpAddress, Way>();
  for (const [index, notices] of answers.value.entries()) {
    const address = addresses[index];
    for (const notice of notices) {
      if (notice.kind !== 'route' || address === undefined) continue;
      const [hop] = notice.route.hops;
      if (hop === undefined) continue;
      const { source } = notice.route;
      ways.set(address, { ...hop, ...(source !== undefined && { source }) });
    }
  }
  return ok(ways);
}

/** Every address with its flags and lifetime. */
export function observeAddressFlags(): Result<readonly KernelAddress[], PortError> {
  const answers = ask([encodeAddressDump()]);
  if (!answers.ok) return answers;
  const [notices = []] = answers.value;
  return ok(notices.flatMap((notice) => (notice.kind === 'address' ? [notice.address] : [])));
}

/** The rows that came for each question. */
function ask(
  messages: readonly Uint8Array[],
): Result<readonly (readonly RtnlNotice[])[], PortError> {
  const socket = openNetlinkSocket({ family: 'route' });
  if (!socket.ok) return socket;
  const answers = socket.value.request(messages);
  socket.value.close();
  if (!answers.ok) return err(answers.error);
  return ok(
    answers.value.map((answer) =>
      answer.messages.flatMap((bytes) => {
        const notice = decodeRtnl(bytes);
        return notice.ok ? [notice.value] : [];
      }),
    ),
  );
}
