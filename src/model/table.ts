/**
 * The virtual-service table: what IPVS (or the nftables plane) holds, as rows that are compared, never as commands.
 *
 * The core makes the table it wants, a port says what stands, `planTable` gives the writes between the two.
 * Rows carry only what a director decides; counters and connections belong to the observation and are kept elsewhere,
 * because they would make every comparison differ.
 * Source: linux/ip_vs.h (IPVS_SVC_ATTR_*, IPVS_DEST_ATTR_*), ipvsadm(8).
 */
import type { IpAddress } from '../base/index.ts';
import type { ForwardingMethod } from './settings.ts';

export type ServiceProtocol = 'tcp' | 'udp' | 'sctp';

/** What a packet must carry to be ours. Two services with one key are one service to the kernel. */
export type ServiceKey =
  | {
      readonly kind: 'address';
      readonly protocol: ServiceProtocol;
      readonly address: IpAddress;
      /** 0 = every port (the kernel asks for persistence then) */
      readonly port: number;
    }
  /** Packets that the firewall marked; 1-4294967295. */
  | { readonly kind: 'mark'; readonly family: 4 | 6; readonly mark: number };

/** `one-packet`: ipvsadm -o (UDP). `flag-1` to `flag-3`: the scheduler's own (sh-fallback, sh-port of `sh`). */
export const SERVICE_FLAGS = ['one-packet', 'flag-1', 'flag-2', 'flag-3'] as const;
export type ServiceFlag = (typeof SERVICE_FLAGS)[number];

/** A virtual service without its destinations. */
export type ServiceRow = {
  readonly key: ServiceKey;
  /** The kernel's name: `wlc`, `mh`. */
  readonly scheduler: string;
  /** In the order of SERVICE_FLAGS, each once. */
  readonly flags: readonly ServiceFlag[];
  /** 0 = no persistence. */
  readonly persistentSeconds: number;
  /** Clients sharing this many leading bits share a server: 0-32, 0-128. Full length without persistence. */
  readonly persistencePrefixLength: number;
};

/** How the outer packet of a tunnel looks; absent: IP in IP. */
export type TunnelKind =
  | { readonly kind: 'gue'; readonly port: number; readonly checksum: 'none' | 'full' | 'remote' }
  | { readonly kind: 'gre'; readonly checksum: 'none' | 'full' };

/** A real server inside one virtual service. Within a service, address and port name it. */
export type DestinationRow = {
  readonly address: IpAddress;
  /** The port packets are sent to; 0 in a marked service = keep the client's. Direct and tunnel never change it. */
  readonly port: number;
  readonly method: ForwardingMethod;
  readonly tunnel?: TunnelKind;
  /** 0-65535; 0 = quiesced: old connections finish, none are new. */
  readonly weight: number;
  /** Connections at which no new ones are sent / at which they are again; 0 = no limit. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
};

export type ServiceEntry = {
  readonly service: ServiceRow;
  readonly destinations: readonly DestinationRow[];
};
export type ServiceTable = readonly ServiceEntry[];

/** One write to the table. */
export type TableOperation =
  | { readonly kind: 'add-service'; readonly service: ServiceRow }
  | { readonly kind: 'edit-service'; readonly service: ServiceRow }
  /** Its destinations go with it. */
  | { readonly kind: 'delete-service'; readonly key: ServiceKey }
  | {
      readonly kind: 'add-destination' | 'edit-destination' | 'delete-destination';
      readonly key: ServiceKey;
      readonly destination: DestinationRow;
    };

/** `tcp 198.51.100.100:80`, `udp [fd77::100]:53`, `mark 5`, `mark 5 ipv6`: a map key, and what people read. */
export function serviceKeyText(key: ServiceKey): string {
  if (key.kind === 'mark') return key.family === 4 ? `mark ${key.mark}` : `mark ${key.mark} ipv6`;
  return `${key.protocol} ${endpointText(key.address, key.port)}`;
}

/** `198.51.100.21:8080`, `[fd77::21]:8080`. */
export function endpointText(address: IpAddress, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
