/**
 * What a change of lvs.cf means, in sentences: `shop/web-b: weight 3 -> 2`, `no VIP moves`.
 *
 * Two files are compared as what they ask for, not with what stands: health comes and goes, and the reader asked about
 * the file. Comments, order and blanks mean nothing and are not told. The last sentence is about the VIPs, because that
 * is what people are afraid of. Pure: the same sentences come from the director, the command line and a browser.
 */
import type { IpAddress } from '../base/index.ts';
import {
  endpointText,
  floatingAddresses,
  type RealServer,
  type Settings,
  serviceKeyText,
  type Vip,
  type VirtualService,
} from '../model/index.ts';
import { serviceKeyOf } from './services-plan.ts';

/** One sentence a change, without full stops; only the last one when nothing that is asked for changes. */
export function meaningOf(before: Settings, next: Settings): readonly string[] {
  return [
    ...globalChanges(before, next),
    ...serviceChanges(before, next),
    ...vipChanges(before, next),
  ];
}

type Value = string | number | boolean | readonly string[] | undefined;
type Row<T> = readonly [name: string, value: (of: T) => Value, unit?: string];

/** In the words of lvs.cf; `serial_no` is none of them: it counts edits. */
const GLOBALS: readonly Row<Settings>[] = [
  ['service', (s) => s.service],
  ['primary', (s) => s.primary],
  ['primary_private', (s) => s.primaryPrivate],
  ['backup', (s) => s.backup],
  ['backup_private', (s) => s.backupPrivate],
  ['backup_active', (s) => s.backupActive],
  ['heartbeat_port', (s) => s.heartbeatPort],
  ['keepalive', (s) => s.keepaliveMs, 'ms'],
  ['deadtime', (s) => s.deadtimeMs, 'ms'],
  ['lease_ms', (s) => s.leaseMs, 'ms'],
  ['network', (s) => s.network],
  ['dialect', (s) => s.dialect],
  ['failback', (s) => s.failback],
  ['dataplane', (s) => s.dataPlane],
  ['monitor_links', (s) => s.monitorLinks],
  ['syncdaemon', (s) => s.syncDaemon.isEnabled],
  ['syncd_iface', (s) => s.syncDaemon.interface],
  ['syncd_id', (s) => s.syncDaemon.id],
  ['tcp_timeout', (s) => s.tcpTimeoutSeconds, 's'],
  ['tcpfin_timeout', (s) => s.tcpFinTimeoutSeconds, 's'],
  ['udp_timeout', (s) => s.udpTimeoutSeconds, 's'],
  ['active_cmd', (s) => s.activeCommand],
  ['inactive_cmd', (s) => s.inactiveCommand],
  ['hard_shutdown', (s) => s.hardShutdown],
  ['rsh_command', (s) => s.rshCommand],
  ['announce_refresh', (s) => s.announceRefreshSeconds, 's'],
  ['verify', (s) => s.verify],
  ['verify_hosts', (s) => s.verifyHosts],
  ['witness_hosts', (s) => s.witnessHosts],
  ['heartbeat_key_file', (s) => s.heartbeatKeyFile],
  ['courier_port', (s) => s.courierPort],
];

const SERVICE: readonly Row<VirtualService>[] = [
  ['scheduler', (s) => s.scheduler],
  ['persistent', (s) => s.persistentSeconds, 's'],
  ['pmask', (s) => s.persistenceMask],
  ['load_monitor', (s) => s.loadMonitor],
  ['quiesce_server', (s) => s.quiesceServer],
  ['sorry_server', (s) => s.sorryServer],
  ['start_cmd', (s) => s.startCommand],
  ['stop_cmd', (s) => s.stopCommand],
  ['quorum', (s) => s.quorum?.weight],
  ['hysteresis', (s) => s.quorum?.hysteresis],
  ['quorum_up_cmd', (s) => s.quorum?.upCommand],
  ['quorum_down_cmd', (s) => s.quorum?.downCommand],
];

/** What a change of the check is made of; the long texts are not repeated. */
const CHECK: readonly Row<VirtualService>[] = [
  ['check', (s) => s.check?.kind],
  ['timeout', (s) => s.timeoutSeconds, 's'],
  ['reentry', (s) => s.reentrySeconds, 's'],
  ['check_interval_ms', (s) => s.check?.intervalMs, 'ms'],
  ['check_timeout_ms', (s) => s.check?.timeoutMs, 'ms'],
  ['rise', (s) => s.check?.rise],
  ['fall', (s) => s.check?.fall],
  ['send', (s) => s.send],
  ['expect', (s) => s.expect],
  ['use_regex', (s) => s.usesRegex],
  ['send_program', (s) => s.sendProgram],
];

/** These make a director another one: a reload cannot. */
const NEEDS_RESTART = ['dataplane'];

function globalChanges(before: Settings, next: Settings): readonly string[] {
  return GLOBALS.flatMap((row) => {
    const change = changeOf(row, before, next);
    if (change === undefined) return [];
    return [NEEDS_RESTART.includes(row[0]) ? `${change} (needs a restart)` : change];
  });
}

function changeOf<T>([name, value, unit]: Row<T>, before: T, next: T): string | undefined {
  const [was, will] = [valueText(value(before), unit), valueText(value(next), unit)];
  return was === will ? undefined : `${name} ${was} -> ${will}`;
}

function valueText(value: Value, unit: string | undefined): string {
  if (value === undefined) return 'unset';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(' ');
  if (typeof value === 'number') return unit === undefined ? `${value}` : durationText(value, unit);
  const text = String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** `6 s` rather than `6000 ms`. */
function durationText(value: number, unit: string): string {
  const isWhole = unit === 'ms' && value >= 1000 && value % 1000 === 0;
  return isWhole ? `${value / 1000} s` : `${value} ${unit}`;
}

function serviceChanges(before: Settings, next: Settings): readonly string[] {
  const [was, will] = [enabledServices(before), enabledServices(next)];
  const lines: string[] = [];
  for (const [name, service] of was) {
    if (!will.has(name)) lines.push(`virtual service ${name} ends (${keyText(service)})`);
  }
  for (const [name, service] of will) {
    const old = was.get(name);
    if (old !== undefined) lines.push(...changesOf(name, old, service));
    else {
      const count = service.realServers.filter(({ isEnabled }) => isEnabled).length;
      const servers = `${count} real server${count === 1 ? '' : 's'}`;
      lines.push(
        `virtual service ${name} begins: ${keyText(service)}, ${service.scheduler}, ${servers}`,
      );
    }
  }
  return lines;
}

/** By name; of those with one name the later ones get a number. */
function enabledServices(settings: Settings): ReadonlyMap<string, VirtualService> {
  const { service, virtualServices, failoverServices } = settings;
  const enabled = (service === 'fos' ? failoverServices : virtualServices).filter(
    ({ isEnabled }) => isEnabled,
  );
  return named(enabled);
}

function named<T extends { readonly name: string }>(things: readonly T[]): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const thing of things) {
    let name = thing.name;
    for (let number = 2; found.has(name); number++) name = `${thing.name}#${number}`;
    found.set(name, thing);
  }
  return found;
}

function keyText(service: VirtualService): string {
  return serviceKeyText(serviceKeyOf(service));
}

function changesOf(name: string, old: VirtualService, next: VirtualService): readonly string[] {
  const own = SERVICE.flatMap((row) => changeOf(row, old, next) ?? []);
  const check = CHECK.flatMap((row) => changeOf(row, old, next) ?? []);
  const isOther = JSON.stringify([old.check]) !== JSON.stringify([next.check]);
  if (check.length === 0 && isOther) check.push('another check');
  const [wasKey, willKey] = [keyText(old), keyText(next)];
  return [
    ...(wasKey === willKey ? [] : [`${name}: ${wasKey} -> ${willKey}`]),
    ...own.map((text) => `${name}: ${text}`),
    ...(check.length === 0 ? [] : [`${name}: its servers are checked anew: ${check.join(', ')}`]),
    ...serverChanges(name, old.realServers, next.realServers),
  ];
}

function serverChanges(
  service: string,
  before: readonly RealServer[],
  next: readonly RealServer[],
): readonly string[] {
  const [was, will] = [named(before.filter(isOn)), named(next.filter(isOn))];
  const lines: string[] = [];
  for (const [name, server] of was) {
    if (!will.has(name)) lines.push(`${service}/${name} leaves (${placeText(server)})`);
  }
  for (const [name, server] of will) {
    const old = was.get(name);
    const place = placeText(server);
    if (old === undefined) {
      lines.push(`${service}/${name} joins: ${place}, weight ${server.weight}`);
      continue;
    }
    if (placeText(old) !== place) lines.push(`${service}/${name}: ${placeText(old)} -> ${place}`);
    if (old.weight !== server.weight) {
      lines.push(`${service}/${name}: weight ${old.weight} -> ${server.weight}`);
    }
  }
  return lines;
}

const isOn = ({ isEnabled }: RealServer): boolean => isEnabled;

function placeText({ address, port }: RealServer): string {
  return endpointText(address, port);
}

function vipChanges(before: Settings, next: Settings): readonly string[] {
  const byAddress = (settings: Settings): ReadonlyMap<IpAddress, Vip> =>
    new Map(floatingAddresses(settings).map((vip) => [vip.address, vip]));
  const [was, will] = [byAddress(before), byAddress(next)];
  const lines: string[] = [];
  for (const [address, vip] of was) {
    const now = will.get(address);
    if (now === undefined) lines.push(`VIP ${address} is lowered on ${vip.device}`);
    else if (now.device !== vip.device) {
      lines.push(`VIP ${address} moves from ${vip.device} to ${now.device}`);
    } else if (now.prefixLength !== vip.prefixLength) {
      lines.push(`VIP ${address}: prefix /${vip.prefixLength} -> /${now.prefixLength}`);
    }
  }
  for (const [address, { device }] of will) {
    if (!was.has(address)) lines.push(`VIP ${address} is raised on ${device}`);
  }
  return lines.length === 0 ? ['no VIP moves'] : lines;
}
