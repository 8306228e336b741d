/**
 * Settings: what an lvs.cf says, checked and with defaults filled in (piranha 0.8.6 defaults, docs/lvs.cf.md).
 * Everything keeps its origin, so that a refusal by the kernel can be told by file and line.
 */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import type { CheckSettings, Quorum } from './check.ts';

/** Where in a file a thing was said. Lines and columns count from 1. */
export type Origin = { readonly file: string; readonly line: number; readonly column: number };

export type ForwardingMethod = 'nat' | 'direct' | 'tunnel';
export type Dialect = 'auto' | 'legacy';
export type Failback = 'none' | 'auto';
export type DataPlane = 'auto' | 'ipvs' | 'nftables' | 'none';
/** Whom to ask whether the segment believes our announcements (failover: verified takeover). */
export type Verify = 'off' | 'gateway' | 'hosts';
export type Protocol = 'tcp' | 'udp';
export type Scheduler = 'rr' | 'wrr' | 'lc' | 'wlc' | 'lblc' | 'lblcr' | 'dh' | 'sh';

/** A floating address and where it is raised: `address = 198.51.100.100 eth0:1`, `vip_nmask = 255.255.255.0`. */
export type Vip = {
  readonly address: IpAddress;
  /** 0-32 or 0-128; 32/128 unless a netmask was given. */
  readonly prefixLength: number;
  /** (vip & mask) | ~mask, only when a netmask was given (IPv4). */
  readonly broadcast?: IpAddress;
  /** The device without its alias suffix: `eth0`. */
  readonly device: string;
  /** The alias as lvs.cf has it, at most 15 characters: `eth0:1`; absent when there is none. */
  readonly label?: string;
  readonly origin: Origin;
};

export type RealServer = {
  readonly name: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly isEnabled: boolean;
  readonly weight: number;
  readonly origin: Origin;
};

export type VirtualService = {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly vip: Vip;
  readonly port: number;
  readonly protocol: Protocol;
  /** 0 = none: the service is VIP:port. */
  readonly firewallMark: number;
  readonly scheduler: Scheduler;
  /** 0 = off. */
  readonly persistentSeconds: number;
  readonly persistenceMask?: IpAddress;
  readonly send?: string;
  readonly expect?: string;
  readonly usesRegex: boolean;
  readonly sendProgram?: string;
  readonly timeoutSeconds: number;
  readonly reentrySeconds: number;
  readonly loadMonitor: string;
  readonly quiesceServer: boolean;
  readonly sorryServer?: IpAddress;
  /** Absent: nanny's rules (DEFAULT_CHECK_SETTINGS). */
  readonly check?: CheckSettings;
  /** Absent: one server is enough (DEFAULT_QUORUM). */
  readonly quorum?: Quorum;
  /** failover sections only (service = fos) */
  readonly startCommand?: string;
  readonly stopCommand?: string;
  readonly realServers: readonly RealServer[];
  readonly origin: Origin;
  /** Where what a kernel may refuse was set; what is not here has its default. */
  readonly origins?: Partial<Readonly<Record<RefusableDirective, Origin>>>;
};

/** Directives of a virtual service that are refused by their own line. */
export const REFUSABLE_DIRECTIVES = ['scheduler', 'fwmark', 'pmask', 'sorry_server'] as const;
export type RefusableDirective = (typeof REFUSABLE_DIRECTIVES)[number];

export type SyncDaemonSettings = {
  readonly isEnabled: boolean;
  readonly interface: string;
  /** 0-255 */
  readonly id: number;
};

export type Settings = {
  readonly file: string;
  readonly serialNo: number;
  readonly service: 'lvs' | 'fos';
  readonly primary: IpAddress;
  /** Present only when it differs from `primary`: then there is a second heartbeat path. */
  readonly primaryPrivate?: IpAddress;
  /** Absent: no partner (unset or 0.0.0.0). */
  readonly backup?: IpAddress;
  readonly backupPrivate?: IpAddress;
  /** False without a partner, whatever `backup_active` says. */
  readonly backupActive: boolean;
  readonly heartbeatPort: number;
  readonly keepaliveMs: Milliseconds;
  readonly deadtimeMs: Milliseconds;
  readonly network: ForwardingMethod;
  readonly natRouter?: Vip;
  readonly monitorLinks: boolean;
  readonly syncDaemon: SyncDaemonSettings;
  /** 0 = leave the kernel's value */
  readonly tcpTimeoutSeconds: number;
  readonly tcpFinTimeoutSeconds: number;
  readonly udpTimeoutSeconds: number;
  readonly activeCommand?: string;
  readonly inactiveCommand?: string;
  readonly hardShutdown: boolean;
  readonly rshCommand: string;
  readonly ipvsadm: string;
  readonly dialect: Dialect;
  readonly failback: Failback;
  readonly dataPlane: DataPlane;
  /** Seconds between slow repeated announcements (0 = off, 60 unless set). */
  readonly announceRefreshSeconds?: number;
  /** `gateway` unless set; `hosts` asks `verifyHosts`. */
  readonly verify?: Verify;
  readonly verifyHosts?: readonly IpAddress[];
  readonly witnessHosts?: readonly IpAddress[];
  /** Absolute path. Absent: heartbeats are not authenticated. */
  readonly heartbeatKeyFile?: string;
  /** TCP, on the heartbeat addresses: the channel between the directors, which needs the key. */
  readonly courierPort: number;
  /** Absent: computed from keepalive and deadtime. */
  readonly leaseMs?: Milliseconds;
  /** Where each global directive was set, by its name in the file; one that is not here has its default. */
  readonly origins?: Readonly<Record<string, Origin>>;
  readonly virtualServices: readonly VirtualService[];
  readonly failoverServices: readonly VirtualService[];
};

/**
 * The floating addresses of a configuration, each once: the VIPs of the enabled services (the first service that
 * names an address decides device and mask, as the original does), and the NAT router when `network = nat`.
 */
export function floatingAddresses(settings: Settings): readonly Vip[] {
  const found = new Map<IpAddress, Vip>();
  if (settings.network === 'nat' && settings.natRouter !== undefined) {
    found.set(settings.natRouter.address, settings.natRouter);
  }
  const services =
    settings.service === 'fos' ? settings.failoverServices : settings.virtualServices;
  for (const { isEnabled, vip } of services) {
    if (isEnabled && !found.has(vip.address)) found.set(vip.address, vip);
  }
  return [...found.values()];
}
