/** Conversations in the kernel's connection tracking, ended before their time. */
import type { IpAddress } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { decodeFlow, deleteFlow, dumpFlows, type NatFlow } from '../wire/index.ts';
import { portError } from './errno.ts';
import type { NetlinkSocket } from './types.ts';

const ENOENT = 2;
const LIMIT_MS = 10_000;

/** Ends those of the UDP conversations which these servers answer that are over; one that has ended meanwhile is no error. */
export function endFlows(
  netfilter: NetlinkSocket,
  servers: readonly IpAddress[],
  isOver: (flow: NatFlow) => boolean,
): PortError | undefined {
  const found = netfilter.request(dumpFlows(servers), LIMIT_MS);
  if (!found.ok) return found.error;
  const flows = found.value
    .flatMap(({ messages }) => messages)
    .flatMap((bytes) => {
      const flow = decodeFlow(bytes);
      return flow.ok && flow.value !== undefined && isOver(flow.value) ? [flow.value] : [];
    });
  const ended = netfilter.request(flows.map(deleteFlow), LIMIT_MS);
  if (!ended.ok) return ended.error;
  const refused = [...found.value, ...ended.value].find(
    ({ errno }) => errno !== 0 && errno !== ENOENT,
  );
  if (refused === undefined) return undefined;
  return portError('end flows', 'connection tracking', refused.errno, refused.kernelText);
}
