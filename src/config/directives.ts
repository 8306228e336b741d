/**
 * Every directive of lvs.cf, as one table per kind of section: its name, its type, its default, and where its value
 * goes. The tolerant reader, the strict verdict, the suggestions and the test of docs/lvs.cf.md all read this table;
 * nothing else knows a directive's name.
 *
 * Defaults are those of Piranha 0.8.6 (lvs.cf(5), and its parser where the man page is wrong); only `hard_shutdown`
 * differs: one failed monitor no longer takes every service down. A directive marked `ours` is unknown to it.
 */
import type { IpAddress } from '../base/index.ts';
import {
  CHECK_KINDS,
  type DataPlane,
  type Dialect,
  DNS_TYPES,
  type Failback,
  type ForwardingMethod,
  HTTP_METHODS,
  type Scheduler,
} from '../model/index.ts';
import {
  BRACKETED_LIST,
  DEVICE,
  type FloatingAddress,
  HOST,
  HOST_DEVICE,
  HOST_LIST,
  type HostList,
  LITERAL,
  NETMASK,
  type Netmask,
  OWN_HOST,
  PERSISTENCE_MASK,
} from './address-values.ts';
import type { Word } from './document.ts';
import {
  type CheckDraft,
  DNS_NAME,
  HOST_NAME,
  HTTP_HOST,
  HTTP_PATH,
  HTTP_STATUS,
  type QuorumDraft,
  REGEX,
} from './probe-values.ts';
import type { Place, Places } from './problem.ts';
import {
  BOOLEAN,
  choice,
  integer,
  LOW_OCTET,
  NON_ZERO,
  ours,
  PATH,
  PORT_NUMBER,
  port,
  type StrictKind,
  text,
  type ValueReader,
  type ValueType,
} from './values.ts';

export type Directive<D> = {
  readonly key: string;
  readonly description: string;
  readonly words: 1 | 2 | 'any';
  readonly strict: StrictKind;
  /** As the file would say it; absent where there is none. */
  readonly default?: string;
  /** Why it has no effect, for those that have none. */
  readonly unused?: string;
  readonly read: (words: readonly Word[], reader: ValueReader, draft: D) => void;
};

/** What has been read of the directives outside of every section. Absent: not set. */
export type GlobalDraft = {
  readonly places: Places;
  serialNo?: number;
  service?: 'lvs' | 'fos';
  primary?: IpAddress;
  primaryPrivate?: IpAddress;
  backup?: IpAddress;
  backupPrivate?: IpAddress;
  backupActive?: boolean;
  heartbeatPort?: number;
  keepalive?: number;
  deadtime?: number;
  keepaliveMs?: number;
  deadtimeMs?: number;
  network?: ForwardingMethod;
  natRouter?: FloatingAddress;
  natNetmask?: Netmask;
  monitorLinks?: boolean;
  syncDaemon?: boolean;
  syncInterface?: string;
  syncId?: number;
  tcpTimeout?: number;
  tcpFinTimeout?: number;
  udpTimeout?: number;
  activeCommand?: string;
  inactiveCommand?: string;
  hardShutdown?: boolean;
  rshCommand?: string;
  ipvsadm?: string;
  dialect?: Dialect;
  failback?: Failback;
  dataPlane?: DataPlane;
  announceRefresh?: number;
  verify?: 'off' | 'gateway' | 'hosts';
  verifyHosts?: HostList;
  witnessHosts?: HostList;
  heartbeatKeyFile?: string;
  courierPort?: number;
  leaseMs?: number;
};

export type ServerDraft = {
  readonly places: Places;
  readonly name: string;
  readonly place: Place;
  /** The virtual's port as parsed when the block was opened: what 0.8.6 takes as the default. */
  readonly defaultPort: number;
  address?: IpAddress;
  isEnabled?: boolean;
  weight?: number;
  port?: number;
};

export type VirtualDraft = {
  readonly places: Places;
  readonly kind: 'virtual' | 'failover';
  readonly name: string;
  readonly place: Place;
  readonly servers: ServerDraft[];
  address?: FloatingAddress;
  netmask?: Netmask;
  isEnabled?: boolean;
  port?: number;
  protocol?: 'tcp' | 'udp';
  firewallMark?: number;
  scheduler?: Scheduler;
  persistent?: number;
  persistenceMask?: Netmask;
  send?: string;
  expect?: string;
  usesRegex?: boolean;
  sendProgram?: string;
  timeout?: number;
  reentry?: number;
  loadMonitor?: string;
  quiesceServer?: boolean;
  sorryServer?: IpAddress;
  startCommand?: string;
  stopCommand?: string;
  check?: CheckDraft;
  quorum?: QuorumDraft;
};

type Info = { readonly default?: string; readonly unused?: string };

/** One row: `put` is where the value goes. */
function row<D, T>(
  key: string,
  type: ValueType<T>,
  put: (draft: D, value: T) => void,
  info: Info = {},
): Directive<D> {
  const { description, words, strict } = type;
  return {
    key,
    description,
    words,
    strict,
    ...info,
    read(given, reader, draft) {
      const value = type.read(given, reader);
      if (value !== undefined) put(draft, value);
    },
  };
}

/** A row whose value is read for its form and then dropped, as 0.8.6 does. */
function idle<D, T>(key: string, type: ValueType<T>, unused: string, byDefault?: string) {
  const info = byDefault === undefined ? { unused } : { unused, default: byDefault };
  return row<D, T>(key, type, () => {}, info);
}

function table<D>(rows: readonly Directive<D>[]): ReadonlyMap<string, Directive<D>> {
  return new Map(rows.map((directive) => [directive.key, directive]));
}

/** The largest value of a C int. */
const MAX_INT = 2_147_483_647;
const DAY = 86_400;
/** Kernel timeouts are seconds times HZ in an int (net/netfilter/ipvs/ip_vs_ctl.c). */
const MAX_KERNEL_TIMEOUT = 2_147_483;

const seconds = (min: number, max: number) => integer({ min, max, unit: 'seconds' });
const milliseconds = (min: number, max: number) =>
  ours(integer({ min, max, unit: 'milliseconds' }));

const DATA_PLANES = ['auto', 'ipvs', 'nftables', 'none'] as const;

/** Why shared SCSI directives have no effect. */
export const SHARED_SCSI = 'shared SCSI reservations are not supported';

// biome-ignore format: a table, one row a line
export const GLOBAL_DIRECTIVES = table<GlobalDraft>([
  row('serial_no', integer({ min: 0, max: MAX_INT }), (d, v) => { d.serialNo = v; }, { default: '0' }),
  row('service', choice(['lvs', 'fos']), (d, v) => { d.service = v; }, { default: 'lvs' }),
  row('primary', OWN_HOST, (d, v) => { d.primary = v; }),
  row('primary_private', OWN_HOST, (d, v) => { d.primaryPrivate = v; }),
  idle('primary_shared', text(), SHARED_SCSI),
  row('backup', HOST, (d, v) => { d.backup = v; }),
  row('backup_private', OWN_HOST, (d, v) => { d.backupPrivate = v; }),
  idle('backup_shared', text(), SHARED_SCSI),
  row('backup_active', BOOLEAN, (d, v) => { d.backupActive = v; }, { default: '0' }),
  idle('heartbeat', BOOLEAN, 'heartbeats are switched by backup_active alone', '0'),
  row('heartbeat_port', port(1), (d, v) => { d.heartbeatPort = v; }, { default: '539' }),
  row('keepalive', seconds(1, DAY), (d, v) => { d.keepalive = v; }, { default: '2' }),
  row('deadtime', seconds(1, DAY), (d, v) => { d.deadtime = v; }, { default: '5' }),
  row('network', choice(['nat', 'direct', 'tunnel']), (d, v) => { d.network = v; }, { default: 'nat' }),
  row('nat_router', HOST_DEVICE, (d, v) => { d.natRouter = v; }),
  row('nat_nmask', NETMASK, (d, v) => { d.natNetmask = v; }),
  idle('reservation_conflict_action', choice(['nothing', 'preempt']), SHARED_SCSI),
  idle('debug_level', text(), 'no program ever read it', 'NONE'),
  row('monitor_links', NON_ZERO, (d, v) => { d.monitorLinks = v; }, { default: '0' }),
  row('syncdaemon', BOOLEAN, (d, v) => { d.syncDaemon = v; }, { default: '0' }),
  row('syncd_iface', DEVICE, (d, v) => { d.syncInterface = v; }, { default: 'eth0' }),
  row('syncd_id', LOW_OCTET, (d, v) => { d.syncId = v; }, { default: '0' }),
  row('tcp_timeout', seconds(0, MAX_KERNEL_TIMEOUT), (d, v) => { d.tcpTimeout = v; }, { default: '0' }),
  row('tcpfin_timeout', seconds(0, MAX_KERNEL_TIMEOUT), (d, v) => { d.tcpFinTimeout = v; }, { default: '0' }),
  row('udp_timeout', seconds(0, MAX_KERNEL_TIMEOUT), (d, v) => { d.udpTimeout = v; }, { default: '0' }),
  row('active_cmd', text(4096), (d, v) => { d.activeCommand = v; }),
  row('inactive_cmd', text(4096), (d, v) => { d.inactiveCommand = v; }),
  row('hard_shutdown', BOOLEAN, (d, v) => { d.hardShutdown = v; }, { default: '0' }),
  row('rsh_command', text(), (d, v) => { d.rshCommand = v; }, { default: 'rsh' }),
  row('ipvsadm', text(4096), (d, v) => { d.ipvsadm = v; }, { default: '/sbin/ipvsadm' }),
  idle('sync', BOOLEAN, 'no program ever read it', '0'),
  row('keepalive_ms', milliseconds(10, DAY * 1000), (d, v) => { d.keepaliveMs = v; }),
  row('deadtime_ms', milliseconds(20, DAY * 1000), (d, v) => { d.deadtimeMs = v; }),
  row('failback', ours(choice(['none', 'auto'])), (d, v) => { d.failback = v; }, { default: 'none' }),
  row('dialect', ours(choice(['auto', 'legacy'])), (d, v) => { d.dialect = v; }, { default: 'auto' }),
  row('dataplane', ours(choice(DATA_PLANES)), (d, v) => { d.dataPlane = v; }, { default: 'auto' }),
  row('announce_refresh', ours(seconds(0, DAY)), (d, v) => { d.announceRefresh = v; }, { default: '60' }),
  row('verify', ours(choice(['off', 'gateway', 'hosts'])), (d, v) => { d.verify = v; }, { default: 'gateway' }),
  row('verify_hosts', HOST_LIST, (d, v) => { d.verifyHosts = v; }),
  row('witness_hosts', HOST_LIST, (d, v) => { d.witnessHosts = v; }),
  row('heartbeat_key_file', ours(PATH), (d, v) => { d.heartbeatKeyFile = v; }),
  row('courier_port', ours(port(1)), (d, v) => { d.courierPort = v; }, { default: '3637' }),
  row('lease_ms', milliseconds(20, DAY * 1000), (d, v) => { d.leaseMs = v; }),
]);

const DAYS = ours(integer({ min: 0, max: 3650, unit: 'days' }));

/** Probes in a row. */
const COUNT = ours(integer({ min: 1, max: 1000 }));

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh'] as const;

/** `virtual` and `failover`: the original has one parser for both. */
// biome-ignore format: a table, one row a line
export const VIRTUAL_DIRECTIVES = table<VirtualDraft>([
  row('address', HOST_DEVICE, (d, v) => { d.address = v; }),
  row('vip_nmask', NETMASK, (d, v) => { d.netmask = v; }),
  row('active', BOOLEAN, (d, v) => { d.isEnabled = v; }, { default: '0' }),
  row('port', port(0), (d, v) => { d.port = v; }, { default: '80' }),
  row('protocol', choice(['tcp', 'udp']), (d, v) => { d.protocol = v; }, { default: 'tcp' }),
  row('fwmark', integer({ min: 0, max: 4_294_967_295 }), (d, v) => { d.firewallMark = v; }, { default: '0' }),
  row('scheduler', choice(SCHEDULERS), (d, v) => { d.scheduler = v; }, { default: 'wlc' }),
  row('persistent', seconds(0, 31 * DAY), (d, v) => { d.persistent = v; }, { default: '0' }),
  row('pmask', PERSISTENCE_MASK, (d, v) => { d.persistenceMask = v; }),
  row('send', text(), (d, v) => { d.send = v; }),
  row('expect', text(), (d, v) => { d.expect = v; }),
  row('use_regex', BOOLEAN, (d, v) => { d.usesRegex = v; }, { default: '0' }),
  row('send_program', text(), (d, v) => { d.sendProgram = v; }),
  row('timeout', seconds(0, DAY), (d, v) => { d.timeout = v; }, { default: '10' }),
  row('reentry', seconds(0, DAY), (d, v) => { d.reentry = v; }, { default: '180' }),
  row('load_monitor', text(), (d, v) => { d.loadMonitor = v; }, { default: 'none' }),
  row('quiesce_server', BOOLEAN, (d, v) => { d.quiesceServer = v; }, { default: '0' }),
  row('sorry_server', LITERAL, (d, v) => { d.sorryServer = v; }),
  idle('client_monitor', text(4096), 'checks are made by this program', '/usr/sbin/nanny'),
  row('start_cmd', text(4096), (d, v) => { d.startCommand = v; }),
  row('stop_cmd', text(4096), (d, v) => { d.stopCommand = v; }),
  idle('master', HOST, 'no program ever read it'),
  idle('dirs', BRACKETED_LIST, 'no program ever read it'),
  row('check', ours(choice(CHECK_KINDS)), (d, v) => { checkOf(d).kind = v; }, { default: 'nanny' }),
  row('check_interval_ms', milliseconds(10, DAY * 1000), (d, v) => { checkOf(d).intervalMs = v; }),
  row('check_timeout_ms', milliseconds(1, DAY * 1000), (d, v) => { checkOf(d).timeoutMs = v; }),
  row('rise', COUNT, (d, v) => { checkOf(d).rise = v; }),
  row('fall', COUNT, (d, v) => { checkOf(d).fall = v; }, { default: '1' }),
  row('check_address', ours(OWN_HOST), (d, v) => { checkOf(d).address = v; }),
  row('check_port', ours(port(1)), (d, v) => { checkOf(d).port = v; }),
  row('check_vip', ours(BOOLEAN), (d, v) => { checkOf(d).isVipChecked = v; }, { default: '0' }),
  row('http_method', ours(choice(HTTP_METHODS)), (d, v) => { checkOf(d).httpMethod = v; }, { default: 'GET' }),
  row('http_path', HTTP_PATH, (d, v) => { checkOf(d).httpPath = v; }, { default: '/' }),
  row('http_host', HTTP_HOST, (d, v) => { checkOf(d).httpHost = v; }),
  row('http_status', HTTP_STATUS, (d, v) => { checkOf(d).httpStatuses = v; }, { default: '200-399' }),
  row('http_body', REGEX, (d, v) => { checkOf(d).httpBody = v; }),
  row('tls_name', HOST_NAME, (d, v) => { checkOf(d).tlsName = v; }),
  row('tls_verify', ours(BOOLEAN), (d, v) => { checkOf(d).tlsIsVerified = v; }, { default: '0' }),
  row('tls_min_days', DAYS, (d, v) => { checkOf(d).tlsMinDays = v; }, { default: '0' }),
  row('dns_name', DNS_NAME, (d, v) => { checkOf(d).dnsName = v; }, { default: '.' }),
  row('dns_type', ours(choice(DNS_TYPES)), (d, v) => { checkOf(d).dnsType = v; }, { default: 'SOA' }),
  row('smtp_helo', HOST_NAME, (d, v) => { checkOf(d).smtpHelo = v; }, { default: 'localhost' }),
  row('quorum', ours(integer({ min: 1, max: MAX_INT })), (d, v) => { quorumOf(d).weight = v; }, { default: '1' }),
  row('hysteresis', ours(integer({ min: 0, max: MAX_INT })), (d, v) => { quorumOf(d).hysteresis = v; }, { default: '0' }),
  row('quorum_up_cmd', ours(text(4096)), (d, v) => { quorumOf(d).upCommand = v; }),
  row('quorum_down_cmd', ours(text(4096)), (d, v) => { quorumOf(d).downCommand = v; }),
]);

/** Most sections have none of these: the drafts of a large file stay small. */
function checkOf(draft: VirtualDraft): CheckDraft {
  draft.check ??= {};
  return draft.check;
}

function quorumOf(draft: VirtualDraft): QuorumDraft {
  draft.quorum ??= {};
  return draft.quorum;
}

// biome-ignore format: a table, one row a line
export const SERVER_DIRECTIVES = table<ServerDraft>([
  row('address', HOST, (d, v) => { d.address = v; }),
  row('active', BOOLEAN, (d, v) => { d.isEnabled = v; }, { default: '0' }),
  row('weight', integer({ min: 0, max: 65_535 }), (d, v) => { d.weight = v; }, { default: '1' }),
  row('port', PORT_NUMBER, (d, v) => { d.port = v; }),
]);

/** Keys that lived in Piranha's web pages or man page and that its daemons always refused. */
export const FORMER_KEYS: ReadonlyMap<string, string> = new Map([
  ['debug', 'the man page calls it so, the directive is debug_level'],
  ['expect_program', 'it was never more than a field of a web page; use send_program and expect'],
  ['nmask', 'a real server has no netmask; a virtual service has vip_nmask'],
]);
