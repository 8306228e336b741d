/** What the kernel holds, as values: rows that are compared, never commands (house.md "a wish, not a command list"). */
import type { IpAddress, MacAddress } from '../base/index.ts';

/** One network interface (rtnetlink RTM_NEWLINK). */
export type Link = {
  readonly index: number;
  readonly name: string;
  readonly mac?: MacAddress;
  /** IFF_UP: administratively up. */
  readonly isUp: boolean;
  /** IFF_LOWER_UP: the cable carries. */
  readonly hasCarrier: boolean;
  /** The largest packet in bytes; absent where the kernel did not say. */
  readonly mtu?: number;
};

/** One address on one interface (rtnetlink RTM_NEWADDR). */
export type AddressRow = {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly broadcast?: IpAddress;
  readonly label?: string;
};

/** What was seen of the kernel at one moment. */
export type KernelAddresses = {
  readonly links: readonly Link[];
  readonly rows: readonly AddressRow[];
};

/** A default gateway, by the interface it is behind. */
export type Gateway = { readonly interfaceIndex: number; readonly address: IpAddress };

/** One write to the kernel's addresses. */
export type AddressOperation =
  /** `validSeconds`: the kernel removes it after so long, unless it is written again. */
  | { readonly kind: 'add-address'; readonly row: AddressRow; readonly validSeconds?: number }
  | { readonly kind: 'delete-address'; readonly row: AddressRow };

/** The world failed: a socket or the kernel said no. Caught in one place and fed back as input. */
export type PortError = {
  readonly operation: string;
  /** What it was done to: `eth0`, `198.51.100.100 on eth0`. */
  readonly target: string;
  /** errno name: `EADDRINUSE`, or a reason word of ours: `timeout`. */
  readonly code: string;
  /** The kernel's own words (extended ack), when it gave some. */
  readonly kernelText?: string;
};
