/**
 * Drafts into Settings: defaults of 0.8.6, units, and what depends on two directives at once (a mask and its address).
 */
import {
  type IpAddress,
  ipBytes,
  ipFamily,
  ipFromBytes,
  type Milliseconds,
} from '../base/index.ts';
import {
  DEFAULT_CHECK_SETTINGS,
  DEFAULT_QUORUM,
  type Origin,
  REFUSABLE_DIRECTIVES,
  type RealServer,
  type RefusableDirective,
  type Settings,
  type Vip,
  type VirtualService,
} from '../model/index.ts';
import {
  type FloatingAddress,
  type Netmask,
  netmaskLength,
  persistenceLength,
} from './address-values.ts';
import type { GlobalDraft, ServerDraft, VirtualDraft } from './directives.ts';
import type { Place, ProblemList } from './problem.ts';
import type { Drafts } from './read.ts';

/** What `settings` is built with. */
type Builder = { readonly file: string; readonly problems: ProblemList };

/** Undefined when there is no primary; other errors have been told and leave a gap or a default. */
export function buildSettings(
  { global, services }: Drafts,
  file: string,
  problems: ProblemList,
): Settings | undefined {
  const builder: Builder = { file, problems };
  const natRouter = buildNatRouter(global, builder);
  const built = services.map((draft) => ({
    kind: draft.kind,
    service: buildService(draft, builder),
  }));
  const ofKind = (wanted: VirtualDraft['kind']) =>
    built.flatMap(({ kind, service }) =>
      kind === wanted && service !== undefined ? [service] : [],
    );
  if (global.primary === undefined) return undefined;
  return {
    file,
    serialNo: global.serialNo ?? 0,
    service: global.service ?? 'lvs',
    primary: global.primary,
    ...partner(global, global.primary),
    heartbeatPort: global.heartbeatPort ?? 539,
    ...timers(global),
    network: global.network ?? 'nat',
    ...(natRouter === undefined ? {} : { natRouter }),
    monitorLinks: global.monitorLinks ?? false,
    syncDaemon: {
      isEnabled: global.syncDaemon ?? false,
      interface: global.syncInterface ?? 'eth0',
      id: global.syncId ?? 0,
    },
    tcpTimeoutSeconds: global.tcpTimeout ?? 0,
    tcpFinTimeoutSeconds: global.tcpFinTimeout ?? 0,
    udpTimeoutSeconds: global.udpTimeout ?? 0,
    ...defined('activeCommand', global.activeCommand),
    ...defined('inactiveCommand', global.inactiveCommand),
    hardShutdown: global.hardShutdown ?? false,
    rshCommand: global.rshCommand ?? 'rsh',
    ipvsadm: global.ipvsadm ?? '/sbin/ipvsadm',
    dialect: global.dialect ?? 'auto',
    failback: global.failback ?? 'none',
    dataPlane: global.dataPlane ?? 'auto',
    announceRefreshSeconds: global.announceRefresh ?? 60,
    verify: global.verify ?? 'gateway',
    verifyHosts: global.verifyHosts ?? [],
    witnessHosts: global.witnessHosts ?? [],
    ...defined('heartbeatKeyFile', global.heartbeatKeyFile),
    courierPort: global.courierPort ?? 3637,
    ...defined('leaseMs', global.leaseMs),
    origins: originsOf(global, file),
    virtualServices: ofKind('virtual'),
    failoverServices: ofKind('failover'),
  };
}

/** `{ [key]: value }` when there is a value: an optional field is absent, never undefined. */
function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  const field: { [P in K]?: V } = {};
  if (value !== undefined) field[key] = value;
  return field;
}

/** Keepalive and deadtime in force: the millisecond directives override the second-granular ones. */
export function timers(global: GlobalDraft): {
  readonly keepaliveMs: Milliseconds;
  readonly deadtimeMs: Milliseconds;
} {
  return {
    keepaliveMs: global.keepaliveMs ?? (global.keepalive ?? 2) * 1000,
    deadtimeMs: global.deadtimeMs ?? (global.deadtime ?? 5) * 1000,
  };
}

/** No partner without a backup address; no second path without `primary_private`, as in the original. */
function partner(global: GlobalDraft, primary: IpAddress) {
  const backup = global.backup === '0.0.0.0' || global.backup === '::' ? undefined : global.backup;
  const hasSecondPath =
    backup !== undefined &&
    global.backupPrivate !== undefined &&
    global.primaryPrivate !== undefined &&
    global.primaryPrivate !== primary;
  return {
    backupActive: (global.backupActive ?? false) && backup !== undefined,
    ...defined('backup', backup),
    ...(hasSecondPath
      ? { primaryPrivate: global.primaryPrivate, backupPrivate: global.backupPrivate }
      : {}),
  };
}

function originsOf(global: GlobalDraft, file: string): Readonly<Record<string, Origin>> {
  const origins: Record<string, Origin> = {};
  for (const key of global.places.keys()) {
    const place = global.places.get(key);
    if (place !== undefined) origins[key] = originOf(place, file);
  }
  return origins;
}

function originOf({ line, column }: Place, file: string): Origin {
  return { file, line, column };
}

function buildNatRouter(global: GlobalDraft, builder: Builder): Vip | undefined {
  const place = global.places.get('nat_router');
  if (global.natRouter === undefined || place === undefined) return undefined;
  return buildVip(global.natRouter, global.natNetmask, place, builder);
}

/** Undefined when an address is missing or was wrong; that has been told. */
function buildService(draft: VirtualDraft, builder: Builder): VirtualService | undefined {
  const { places } = draft;
  const addressPlace = places.get('address');
  const mask = persistenceMask(draft, builder);
  const vip =
    draft.address === undefined || addressPlace === undefined
      ? undefined
      : buildVip(draft.address, draft.netmask, addressPlace, builder);
  if (vip === undefined) return undefined;
  return {
    name: draft.name,
    isEnabled: draft.isEnabled ?? false,
    vip,
    port: draft.port ?? 80,
    protocol: draft.protocol ?? 'tcp',
    firewallMark: draft.firewallMark ?? 0,
    scheduler: draft.scheduler ?? 'wlc',
    persistentSeconds: draft.persistent ?? 0,
    ...defined('persistenceMask', mask),
    ...defined('send', draft.send),
    ...defined('expect', draft.expect),
    usesRegex: draft.usesRegex ?? false,
    ...defined('sendProgram', draft.sendProgram),
    timeoutSeconds: draft.timeout ?? 10,
    reentrySeconds: draft.reentry ?? 180,
    loadMonitor: draft.loadMonitor ?? 'none',
    quiesceServer: draft.quiesceServer ?? false,
    ...defined('sorryServer', sorryServer(draft)),
    check:
      draft.check === undefined
        ? DEFAULT_CHECK_SETTINGS
        : { ...DEFAULT_CHECK_SETTINGS, ...draft.check },
    quorum: draft.quorum === undefined ? DEFAULT_QUORUM : { ...DEFAULT_QUORUM, ...draft.quorum },
    ...defined('startCommand', draft.startCommand),
    ...defined('stopCommand', draft.stopCommand),
    realServers: draft.servers.flatMap((server) => buildServer(server, builder.file)),
    origin: originOf(draft.place, builder.file),
    ...serviceOrigins(draft, builder.file),
  };
}

/** Most sections set a scheduler and nothing else of these. */
function serviceOrigins({ places }: VirtualDraft, file: string): Pick<VirtualService, 'origins'> {
  const origins: Partial<Record<RefusableDirective, Origin>> = {};
  for (const key of REFUSABLE_DIRECTIVES) {
    const place = places.get(key);
    if (place !== undefined) origins[key] = originOf(place, file);
  }
  return Object.keys(origins).length === 0 ? {} : { origins };
}

/** 0.0.0.0 is none, as the web pages wrote it. */
function sorryServer(draft: VirtualDraft): IpAddress | undefined {
  return draft.sorryServer === '0.0.0.0' || draft.sorryServer === '::'
    ? undefined
    : draft.sorryServer;
}

function buildServer(draft: ServerDraft, file: string): readonly RealServer[] {
  if (draft.address === undefined) return [];
  return [
    {
      name: draft.name,
      address: draft.address,
      port: draft.port ?? draft.defaultPort,
      isEnabled: draft.isEnabled ?? false,
      weight: draft.weight ?? 1,
      origin: originOf(draft.place, file),
    },
  ];
}

function buildVip(
  { address, device, label }: FloatingAddress,
  netmask: Netmask | undefined,
  place: Place,
  { file, problems }: Builder,
): Vip | undefined {
  const family = ipFamily(address);
  const hostBits = family === 4 ? 32 : 128;
  const length = netmask === undefined ? hostBits : netmaskLength(netmask.word.text, family);
  if (length === undefined) {
    if (netmask !== undefined) tellBadMask(netmask, family, problems);
    return undefined;
  }
  // A mask of 0.0.0.0 is how the web pages said "none".
  const isMasked = netmask !== undefined && length > 0;
  const prefixLength = isMasked ? length : hostBits;
  return {
    address,
    prefixLength,
    ...defined('broadcast', isMasked && family === 4 ? broadcast(address, length) : undefined),
    device,
    ...defined('label', label),
    origin: originOf(place, file),
  };
}

function tellBadMask({ word, line }: Netmask, family: 4 | 6, problems: ProblemList): void {
  const wanted =
    family === 4 ? 'an IPv4 netmask such as 255.255.255.0' : 'a prefix length, 0 to 128';
  const bits = Number(/^\/?(\d{1,2})$/.exec(word.text)?.[1] ?? Number.NaN);
  const dotted = family === 4 && bits <= 32 ? netmaskOf(bits) : undefined;
  problems.error(
    'bad-netmask',
    { line, column: word.column, length: word.length },
    `${wanted} is wanted here; found \`${word.text}\``,
    dotted,
  );
}

/** The dotted netmask of a prefix length. */
function netmaskOf(bits: number): IpAddress | undefined {
  return ipFromBytes(maskBytes(bits, 4));
}

function maskBytes(bits: number, size: 4 | 16): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => {
    const here = Math.min(8, Math.max(0, bits - index * 8));
    return (0xff00 >> here) & 0xff;
  });
}

function broadcast(address: IpAddress, bits: number): IpAddress | undefined {
  const mask = maskBytes(bits, 4);
  return ipFromBytes(ipBytes(address).map((byte, index) => byte | (~(mask[index] ?? 0) & 0xff)));
}

/** 255.255.255.255 and 0.0.0.0 are no mask; a bad one is ignored, all as the original does, but not in silence. */
function persistenceMask(draft: VirtualDraft, { problems }: Builder): IpAddress | undefined {
  if (draft.persistenceMask === undefined) return undefined;
  const { word, line } = draft.persistenceMask;
  const family = draft.address === undefined ? 4 : ipFamily(draft.address.address);
  if (netmaskLength(word.text, family) === undefined) {
    problems.warning(
      'bad-netmask',
      { line, column: word.column, length: word.length },
      `\`${word.text}\` is not a netmask, so every client persists by its own address`,
      family === 4 ? '255.255.255.255' : '128',
    );
    return undefined;
  }
  const bits = persistenceLength(draft.persistenceMask, family);
  return bits === undefined ? undefined : ipFromBytes(maskBytes(bits, family === 4 ? 4 : 16));
}
