/**
 * Settings -> keepalived.conf: the way back. One file for both machines; what differs between them stands on lines for
 * `keepalived -i primary` and `keepalived -i backup`.
 *
 * What keepalived cannot do is told twice: as a comment at the head of the file and as a note by line.
 * Source: keepalived.conf(5) 2.2.7.
 */
import { type IpAddress, ipBytes, ipFamily } from '../base/index.ts';
import {
  DEFAULT_QUORUM,
  type ForwardingMethod,
  floatingAddresses,
  type RealServer,
  type Settings,
  type Vip,
  type VirtualService,
} from '../model/index.ts';
import { checkerLines } from './keepalived-export-checks.ts';
import { masterDownMs } from './keepalived-vrrp.ts';

export type ExportNote = {
  /** Of the lvs.cf, from 1; 0 when the file as a whole is meant. */
  readonly line: number;
  readonly keyword: string;
  readonly sentence: string;
};

export type Exported = { readonly text: string; readonly notes: readonly ExportNote[] };

export type Tell = (line: number, keyword: string, sentence: string) => void;

/** What an advert can carry. */
const MAX_ADVERTISED = 20;

export function exportKeepalived(settings: Settings): Exported {
  const notes: ExportNote[] = [];
  const tell: Tell = (line, keyword, sentence) => {
    notes.push({ line, keyword, sentence });
  };
  const body = [
    ...globalLines(settings, tell),
    ...instanceLines(settings, tell),
    ...serviceSections(settings, tell),
  ];
  tellLost(settings, tell);
  const sorted = notes.toSorted((a, b) => a.line - b.line);
  const head = [
    `! From ${settings.file.replace(/\p{Cc}/gu, '?')}. Start it with \`keepalived -i primary\` on one machine, \`-i backup\` on the other.`,
    ...sorted.map(({ line, keyword, sentence }) => `! line ${line}: ${keyword}: ${sentence}`),
  ];
  return { text: [...head, '', ...body, ''].join('\n'), notes: sorted };
}

function globalLines(settings: Settings, tell: Tell): string[] {
  const { syncDaemon, tcpTimeoutSeconds, tcpFinTimeoutSeconds, udpTimeoutSeconds } = settings;
  const timeouts = [
    ...(tcpTimeoutSeconds > 0 ? [`tcp ${tcpTimeoutSeconds}`] : []),
    ...(tcpFinTimeoutSeconds > 0 ? [`tcpfin ${tcpFinTimeoutSeconds}`] : []),
    ...(udpTimeoutSeconds > 0 ? [`udp ${udpTimeoutSeconds}`] : []),
  ];
  const refresh = settings.announceRefreshSeconds ?? 60;
  const hasPair = settings.backup !== undefined && floatingAddresses(settings).length > 0;
  const instance = hasPair ? ' inst piranha' : '';
  const hooks = settings.activeCommand ?? settings.inactiveCommand;
  if (hooks !== undefined) {
    tell(lineOf(settings, 'active_cmd'), 'active_cmd', 'run as root, as script_user says');
  }
  return [
    'global_defs {',
    '    script_user root',
    ...(refresh > 0 ? [`    vrrp_garp_master_refresh ${refresh}`] : []),
    '    vrrp_higher_prio_send_advert true',
    ...(syncDaemon.isEnabled
      ? [`    lvs_sync_daemon ${syncDaemon.interface}${instance} id ${syncDaemon.id}`]
      : []),
    ...(timeouts.length > 0 ? [`    lvs_timeouts ${timeouts.join(' ')}`] : []),
    '}',
  ];
}

function instanceLines(settings: Settings, tell: Tell): string[] {
  const { primary, backup, failback } = settings;
  const vips = floatingAddresses(settings);
  const [first] = vips;
  if (first === undefined) return [];
  if (backup === undefined || !settings.backupActive) {
    const key = backup === undefined ? 'backup' : 'backup_active';
    const sentence = 'without a partner keepalived waits for one, then owns the VIPs';
    tell(lineOf(settings, key), key, sentence);
  }
  // Adverts by unicast carry VIPs of the directors' family only; where there is none of it, they go by multicast.
  const isUnicast = vips.some(({ address }) => ipFamily(address) === ipFamily(primary));
  const family = ipFamily(isUnicast ? primary : first.address);
  if (!isUnicast) {
    const sentence = 'no VIP is of the family of the directors: adverts go by multicast';
    tell(lineOf(settings, 'primary'), 'primary', sentence);
  }
  const isSame = (vip: Vip) => ipFamily(vip.address) === family;
  const advertised = vips.filter(isSame).slice(0, MAX_ADVERTISED);
  const others = vips.filter((vip) => !advertised.includes(vip));
  tell(
    0,
    'interface',
    `heartbeats leave by ${first.device}, where the first VIP is; change it if they should not`,
  );
  const onlyPrimary = failback === 'auto' ? 'MASTER' : 'BACKUP';
  return [
    '',
    'vrrp_instance piranha {',
    `    @^backup state ${onlyPrimary}`,
    '    @backup state BACKUP',
    `    interface ${first.device}`,
    `    virtual_router_id ${Math.max(1, ipBytes(first.address).at(-1) ?? 1)}`,
    '    @^backup priority 150',
    '    @backup priority 100',
    ...timerLines(settings, family, tell),
    ...(failback === 'auto' ? [] : ['    nopreempt']),
    ...(settings.monitorLinks ? [] : ['    dont_track_primary']),
    ...(isUnicast ? unicastLines(settings) : []),
    ...vipLines('virtual_ipaddress', advertised),
    ...(others.length > 0 ? vipLines('virtual_ipaddress_excluded', others) : []),
    ...hookLine('notify_master', settings.activeCommand),
    ...hookLine('notify_backup', settings.inactiveCommand),
    '}',
  ];
}

/** Adverts of version 2 are whole seconds apart, those of version 3 hundredths. */
function timerLines(settings: Settings, family: 4 | 6, tell: Tell): string[] {
  const { keepaliveMs, deadtimeMs } = settings;
  const isWhole = keepaliveMs % 1000 === 0 && keepaliveMs <= 255_000 && family === 4;
  const hundredths = Math.min(4095, Math.max(1, Math.round(keepaliveMs / 10)));
  const advertMs = isWhole ? keepaliveMs : hundredths * 10;
  const skewMs = ((256 - 100) / 256) * (isWhole ? 1000 : advertMs);
  const adverts = Math.min(100, Math.max(1, Math.round((deadtimeMs - skewMs) / advertMs)));
  const version = isWhole ? 2 : 3;
  const realMs = masterDownMs({ advertMs, adverts, priority: 100, version, vips: [] });
  if (advertMs !== keepaliveMs) {
    tell(lineOf(settings, 'keepalive_ms'), 'keepalive_ms', `adverts are ${advertMs} ms apart`);
  }
  if (realMs !== deadtimeMs) {
    const sentence = `a takeover begins after ${realMs} ms of silence instead of ${deadtimeMs}`;
    tell(lineOf(settings, 'deadtime'), 'deadtime', sentence);
  }
  return [
    `    version ${version}`,
    `    advert_int ${advertMs / 1000}`,
    `    down_timer_adverts ${adverts}`,
  ];
}

function unicastLines({ primary, backup }: Settings): string[] {
  if (backup === undefined) return [];
  return [
    `    @^backup unicast_src_ip ${primary}`,
    `    @backup unicast_src_ip ${backup}`,
    '    unicast_peer {',
    `        @^backup ${backup}`,
    `        @backup ${primary}`,
    '    }',
  ];
}

function vipLines(key: string, vips: readonly Vip[]): string[] {
  const rows = vips.map(({ address, prefixLength, device, label }) => {
    const named = label === undefined ? '' : ` label ${label}`;
    return `        ${address}/${prefixLength} dev ${device}${named}`;
  });
  return [`    ${key} {`, ...rows, '    }'];
}

function hookLine(key: string, command: string | undefined): string[] {
  return command === undefined ? [] : [`    ${key} ${quotedCommand(command)}`];
}

/** A word of those statements in which backslashes count. A quote inside is a number: braces behind `\"` would count. */
export function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\042')}"`;
}

/** keepalived reads the words of a command a second time. */
export function quotedCommand(command: string): string {
  return quoted(command.replace(/["'\\]/g, '\\$&'));
}

function serviceSections(settings: Settings, tell: Tell): string[] {
  if (settings.service === 'fos') {
    const sentence =
      'sections `failover` have no equivalent; start and stop their programs by notify_master and notify_backup';
    tell(lineOf(settings, 'service'), 'service', sentence);
    return [];
  }
  if (settings.dataPlane === 'none') return [];
  const known = new Map<string, number>();
  return settings.virtualServices.flatMap((service) => {
    const { origin, name } = service;
    const head = headOf(service);
    const key = `${head} ${service.firewallMark > 0 ? '' : service.protocol}`;
    const twin = known.get(key);
    if (!service.isEnabled) tell(origin.line, 'active', `${name} is disabled and left out`);
    else if (twin !== undefined) {
      tell(origin.line, name, `is the service of line ${twin}; keepalived holds it once`);
    } else if (service.realServers.length > 0) {
      known.set(key, origin.line);
      return serviceLines(service, head, settings, tell);
    }
    return [];
  });
}

function headOf({ vip, port, firewallMark }: VirtualService): string {
  if (firewallMark > 0) return `virtual_server fwmark ${firewallMark}`;
  return `virtual_server ${vip.address}${port === 0 ? '' : ` ${port}`}`;
}

const METHODS = { nat: 'NAT', direct: 'DR', tunnel: 'TUN' } as const;

function serviceLines(
  service: VirtualService,
  head: string,
  settings: Settings,
  tell: Tell,
): string[] {
  const { origin, scheduler, persistentSeconds, persistenceMask, sorryServer } = service;
  const quorum = service.quorum ?? DEFAULT_QUORUM;
  if (service.loadMonitor !== 'none') {
    tell(origin.line, 'load_monitor', 'weights are not adapted; MISC_CHECK with misc_dynamic can');
  }
  const enabled = service.realServers.filter(({ isEnabled }) => isEnabled);
  for (const server of service.realServers) {
    if (!server.isEnabled)
      tell(server.origin.line, 'active', `${server.name} is disabled and left out`);
  }
  const checker = checkerLines(service, tell);
  for (const server of enabled) {
    const written = portOn(server.port, service, settings.network);
    if (written !== server.port && service.firewallMark === 0) {
      const sentence = `packets keep their port with network = ${settings.network}; the server is checked on port ${server.port}`;
      tell(server.origin.line, 'port', sentence);
    }
  }
  return [
    '',
    `! ${service.name}`,
    `${head} {`,
    `    lvs_sched ${scheduler}`,
    `    lvs_method ${METHODS[settings.network]}`,
    ...(service.firewallMark > 0 ? [] : [`    protocol ${service.protocol.toUpperCase()}`]),
    ...(persistentSeconds > 0 ? [`    persistence_timeout ${persistentSeconds}`] : []),
    ...(persistentSeconds > 0 && persistenceMask !== undefined
      ? [`    persistence_granularity ${granularity(service)}`]
      : []),
    ...(service.quiesceServer ? ['    inhibit_on_failure'] : []),
    ...(quorum.weight === 1 ? [] : [`    quorum ${quorum.weight}`]),
    ...(quorum.hysteresis === 0 ? [] : [`    hysteresis ${quorum.hysteresis}`]),
    ...hookLine('quorum_up', quorum.upCommand),
    ...hookLine('quorum_down', quorum.downCommand),
    '    alpha',
    ...(sorryServer === undefined
      ? []
      : [
          `    sorry_server ${placeOf(sorryServer, portOn(service.port, service, settings.network))}`,
        ]),
    ...enabled.flatMap((server) =>
      serverLines(server, service, settings.network, (written) => checker(server, written)),
    ),
    '}',
  ];
}

/** A netmask for IPv4, a prefix length for IPv6. */
function granularity({ persistenceMask, vip }: VirtualService): string {
  if (persistenceMask === undefined || ipFamily(vip.address) === 4) return persistenceMask ?? '';
  const bits = Array.from(ipBytes(persistenceMask), (byte) => byte.toString(2)).join('');
  return String(bits.replaceAll('0', '').length);
}

/** Only NAT gives a packet another port; with the other methods keepalived refuses any but that of the service. */
function portOn(
  port: number,
  { port: own, firewallMark }: VirtualService,
  network: ForwardingMethod,
) {
  if (network === 'nat') return port;
  return firewallMark > 0 ? 0 : own;
}

function placeOf(address: IpAddress, port: number): string {
  return port === 0 ? address : `${address} ${port}`;
}

function serverLines(
  { address, port, weight }: RealServer,
  service: VirtualService,
  network: ForwardingMethod,
  checker: (written: number) => readonly string[],
): string[] {
  const written = portOn(port, service, network);
  return [
    `    real_server ${placeOf(address, written)} {`,
    `        weight ${weight}`,
    ...checker(written).map((line) => `        ${line}`),
    '    }',
  ];
}

/** Directives of the whole file whose effect ends here. */
function tellLost(settings: Settings, tell: Tell): void {
  const has = (key: string) => settings.origins?.[key] !== undefined;
  for (const [key, sentence] of LOST) {
    if (has(key)) tell(lineOf(settings, key), key, sentence);
  }
}

const LOST: readonly (readonly [key: string, sentence: string])[] = [
  ['primary_private', 'adverts have one path; put it on a bond'],
  ['backup_private', 'adverts have one path; put it on a bond'],
  ['heartbeat_port', 'VRRP is a protocol of its own, number 112; open it in firewalls'],
  [
    'heartbeat_key_file',
    'adverts are not authenticated; those of VRRP 2 carry a password in the clear',
  ],
  ['courier_port', 'the directors have no channel: bring the file to both machines'],
  ['lease_ms', 'there is no lease: a frozen director keeps its VIPs until it runs again'],
  ['verify', 'nobody is asked whether the segment believes an announcement'],
  ['verify_hosts', 'nobody is asked whether the segment believes an announcement'],
  ['witness_hosts', 'track_script with a ping is the nearest'],
  ['hard_shutdown', 'has no equivalent'],
  ['dialect', 'the partner must run keepalived, too'],
  ['dataplane', 'keepalived fills IPVS; without virtual_server it has none'],
];

function lineOf({ origins }: Settings, key: string): number {
  return origins?.[key]?.line ?? origins?.[`${key}_ms`]?.line ?? 0;
}
