/**
 * vrrp_instance and vrrp_sync_group as what a pair of directors has of them: two addresses, timers, floating addresses
 * and two hooks.
 *
 * keepalived moves every instance by itself unless a group binds them; a pair here has one role. So all instances
 * become one, the first one's words count, and where another says otherwise it is told on its line.
 * Source: keepalived.conf(5) "VRRP instance(s)"; RFC 3768 §6.1 and RFC 5798 §6.1 for the time to a takeover.
 */
import { type IpAddress, ipFamily, parseIpAddress } from '../base/index.ts';
import { formatValue } from './edit.ts';
import { type Handlers, leave, walk } from './keepalived-left.ts';
import type { Notes } from './keepalived-notes.ts';
import { type Entry, shellWords } from './keepalived-syntax.ts';

export type ImportedVip = {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly device: string;
  readonly label?: string;
  readonly entry: Entry;
};

export type Instance = {
  readonly entry: Entry;
  readonly name: string;
  device?: string;
  state?: string;
  priority: number;
  advertMs: number;
  adverts: number;
  version?: number;
  routerId: number;
  isNoPreempt: boolean;
  /** Seconds. */
  announceRefresh?: number;
  own?: IpAddress;
  readonly peers: IpAddress[];
  readonly vips: ImportedVip[];
  tracksPrimary: boolean;
  tracksLinks: boolean;
  readonly hooks: Map<string, string>;
};

const MAX_VIPS = 20_000;

/** Missed adverts that make a takeover. */
export const ADVERTS = { min: 1, max: 100, byDefault: 3 };

/** Seconds between repeated announcements. */
export const ANNOUNCE_REFRESH = { min: 0, max: 86_400, byDefault: 60 };

/** What global_defs says for an instance that does not. */
export type InstanceDefaults = Pick<Instance, 'version' | 'adverts' | 'announceRefresh'>;

/** One vrrp_instance. */
export function readInstance(
  entry: Entry,
  defaults: Readonly<InstanceDefaults>,
  notes: Notes,
): Instance {
  const instance: Instance = {
    entry,
    name: entry.args[0] ?? '',
    priority: 100,
    advertMs: 1000,
    routerId: 0,
    isNoPreempt: false,
    peers: [],
    vips: [],
    tracksPrimary: true,
    tracksLinks: false,
    hooks: new Map(),
    ...defaults,
  };
  const body = entry.children ?? [];
  // The interface first: addresses above it lean on it, too.
  const device = deviceName(body.findLast(({ key }) => key === 'interface')?.args[0]);
  if (device !== undefined) instance.device = device;
  walk(body, instanceHandlers(instance, notes), notes);
  return instance;
}

function instanceHandlers(instance: Instance, notes: Notes): Handlers {
  const vips = (entry: Entry) => readVips(entry, instance, notes);
  return {
    interface: (entry) => {
      if (instance.device === undefined) notes.add('lost', entry, 'no name of a device');
    },
    state: ({ args }) => {
      instance.state = args[0] ?? '';
    },
    priority: (entry) => {
      instance.priority = wholeOf(entry, { min: 1, max: 255, byDefault: 100 }, notes);
    },
    advert_int: (entry) => {
      const seconds = numberOf(entry, { min: 0.01, max: 28_000, byDefault: 1 }, notes);
      instance.advertMs = Math.round(seconds * 1000);
    },
    down_timer_adverts: (entry) => {
      instance.adverts = wholeOf(entry, ADVERTS, notes);
    },
    version: (entry) => {
      instance.version = wholeOf(entry, { min: 2, max: 3, byDefault: 2 }, notes);
    },
    virtual_router_id: (entry) => {
      instance.routerId = wholeOf(entry, { min: 0, max: 255, byDefault: 0 }, notes);
      leave(entry, notes);
    },
    nopreempt: () => {
      instance.isNoPreempt = true;
    },
    garp_master_refresh: (entry) => {
      instance.announceRefresh = wholeOf(entry, ANNOUNCE_REFRESH, notes);
    },
    preempt_delay: (entry) => {
      const sentence = 'there is no waiting: the primary gets the VIPs back as soon as it is ready';
      notes.add('lost', entry, sentence);
    },
    unicast_src_ip: (entry) => setOwn(entry, instance, notes),
    mcast_src_ip: (entry) => setOwn(entry, instance, notes),
    unicast_peer: (entry) => {
      for (const peer of entry.children ?? []) {
        const address = addressOf(peer.key);
        if (address === undefined) notes.add('lost', peer, 'no IP address');
        else instance.peers.push(address);
        if (peer.args.length > 0) notes.add('needless', peer, `${peer.args[0]} is not looked at`);
      }
    },
    virtual_ipaddress: vips,
    virtual_ipaddress_excluded: vips,
    dont_track_primary: () => {
      instance.tracksPrimary = false;
    },
    track_interface: (entry) => {
      instance.tracksLinks = true;
      readTracked(entry, [instance.device], notes);
    },
    authentication: (entry) => {
      const sentence =
        'a password that everybody on the segment can read; heartbeat_key_file names a file with a secret';
      notes.add('changed', entry, sentence);
    },
    ...hookHandlers(instance.hooks, `INSTANCE ${instance.name}`, notes),
  };
}

/** `who` is what keepalived puts behind the words of `notify`. */
export function hookHandlers(hooks: Map<string, string>, who: string, notes: Notes): Handlers {
  const hook = (name: string) => (entry: Entry) => {
    const command = commandOf(entry, notes);
    if (command !== undefined) hooks.set(name, command);
  };
  return {
    notify_master: hook('active'),
    notify_backup: hook('inactive'),
    notify_fault: (entry) => {
      hook('fault')(entry);
      const sentence =
        'a director that stands down for a fault becomes standby and runs inactive_cmd';
      if (hooks.get('fault') !== hooks.get('inactive')) notes.add('changed', entry, sentence);
    },
    notify: (entry) => {
      const command = commandOf(entry, notes);
      if (command === undefined) return;
      const name = /^[\w.-]*(?: [\w.-]+)?$/.test(who) ? who : (who.split(' ')[0] ?? who);
      hooks.set('any', `${command} ${name}`);
      const sentence =
        'run by active_cmd with MASTER and by inactive_cmd with BACKUP; FAULT and STOP are not told';
      notes.add('changed', entry, sentence);
    },
  };
}

/** A program and its arguments; undefined when they cannot stand in lvs.cf. */
export function commandOf(entry: Entry, notes: Notes): string | undefined {
  const [command = '', user] = entry.args;
  if (user !== undefined) {
    notes.add('changed', entry, `run as the director, not as ${user.slice(0, 40)}`);
  }
  // keepalived reads the words of a command a second time; lvs.cf splits at blanks.
  const { words, isClosed } = shellWords(command);
  const plain = words.join(' ');
  const isPlain = isClosed && words.every((word) => /^\S+$/.test(word));
  if (isPlain && plain !== '' && plain.length <= 4096 && formatValue(plain) !== undefined) {
    return plain;
  }
  const sentence =
    'a command is split at blanks here, and has at most 4096 characters: put it into a script that has none in its arguments';
  notes.add('lost', entry, sentence);
  return undefined;
}

function setOwn(entry: Entry, instance: Instance, notes: Notes): void {
  const address = addressOf(entry.args[0]);
  if (address === undefined) notes.add('lost', entry, 'no IP address');
  else instance.own = address;
}

/** `own`: the devices of the heartbeats. */
export function readTracked(
  entry: Entry,
  own: readonly (string | undefined)[],
  notes: Notes,
): void {
  for (const tracked of entry.children ?? []) {
    const isOwn = own.includes(tracked.key);
    const hasWeight = tracked.args.includes('weight');
    if (isOwn && !hasWeight) continue;
    const sentence = hasWeight
      ? 'there are no priorities to add to: a director without its link stands down'
      : 'monitor_links looks at the interfaces of the heartbeats only; give it a second path by primary_private';
    notes.add('changed', tracked, sentence);
  }
}

/** Words behind an address in virtual_ipaddress that take one more. */
const VIP_OPTIONS = new Set(['brd', 'scope', 'peer', 'preferred_lft', 'track_group', 'metric']);

function readVips(block: Entry, instance: Instance, notes: Notes): void {
  for (const entry of block.children ?? []) {
    const vip = readVip(entry, instance, notes);
    if (vip !== undefined && instance.vips.length < MAX_VIPS) instance.vips.push(vip);
  }
}

function readVip(entry: Entry, instance: Instance, notes: Notes): ImportedVip | undefined {
  const [text = '', mask] = entry.key.split('/');
  const address = addressOf(text);
  if (address === undefined || isUnspecified(address)) {
    notes.add('lost', entry, 'no IP address; the VIP is left out');
    return undefined;
  }
  const full = ipFamily(address) === 4 ? 32 : 128;
  const prefixLength = mask === undefined ? full : Number(mask);
  if (!/^\d{1,3}$/.test(mask ?? '0') || prefixLength < 1 || prefixLength > full) {
    notes.add('lost', entry, `the prefix length is 1 to ${full}; the VIP is left out`);
    return undefined;
  }
  let { device } = instance;
  let label: string | undefined;
  for (let index = 0; index < entry.args.length; index++) {
    const word = entry.args[index] ?? '';
    if (word === 'dev') device = deviceName(entry.args[++index]);
    else if (word === 'label') label = entry.args[++index];
    else {
      const option = VIP_OPTIONS.has(word) ? `${word} ${entry.args[++index] ?? ''}` : word;
      if (word === 'brd')
        notes.add('needless', entry, 'the broadcast address is that of the network');
      else notes.add('lost', entry, `${option.slice(0, 60)}: is not set`);
    }
  }
  if (device === undefined) {
    notes.add('lost', entry, 'neither `dev` nor `interface` tells the device; the VIP is left out');
    return undefined;
  }
  const vip = { address, prefixLength, device, entry };
  if (label === undefined) return vip;
  if (label.length <= 15 && /^[^\s/:]+:[\w.-]+$/.test(label) && label.startsWith(`${device}:`)) {
    return { ...vip, label };
  }
  notes.add(
    'lost',
    entry,
    `the label ${label.slice(0, 40)} is no ${device}:NAME of at most 15 characters`,
  );
  return vip;
}

type Range = { readonly min: number; readonly max: number; readonly byDefault: number };

/** The first argument, a decimal number; told and replaced by the default when it is none. */
export function numberOf(entry: Entry, range: Range, notes: Notes): number {
  return readNumber(entry, range, { form: /^\d+(?:\.\d+)?$/, name: 'number' }, notes);
}

export function wholeOf(entry: Entry, range: Range, notes: Notes): number {
  return readNumber(entry, range, { form: /^\d+$/, name: 'whole number' }, notes);
}

function readNumber(
  entry: Entry,
  { min, max, byDefault }: Range,
  { form, name }: { readonly form: RegExp; readonly name: string },
  notes: Notes,
): number {
  const [text = ''] = entry.args;
  const value = Number(text);
  if (form.test(text) && value >= min && value <= max) return value;
  notes.add('changed', entry, `a ${name} from ${min} to ${max} is wanted; ${byDefault} is taken`);
  return byDefault;
}

/** `on`, `true`, `yes`, or nothing behind the word. */
export function flagOf({ args: [text = 'on'] }: Entry): boolean {
  return ['on', 'true', 'yes'].includes(text.toLowerCase());
}

export function addressOf(text: string | undefined): IpAddress | undefined {
  const parsed = parseIpAddress(text ?? '');
  return parsed.ok ? parsed.value : undefined;
}

export function isUnspecified(address: IpAddress): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** At most 15 characters, no alias. */
export function deviceName(text: string | undefined): string | undefined {
  return text !== undefined && /^[\w.@-]{1,15}$/.test(text) ? text : undefined;
}

/** Silence after which a backup takes over, in milliseconds: so many adverts, and the skew of its priority. */
export function masterDownMs(
  of: Pick<Instance, 'advertMs' | 'adverts' | 'priority' | 'version' | 'vips'>,
): number {
  const { advertMs, adverts, priority, version, vips } = of;
  const isThree = version === 3 || vips.some(({ address }) => ipFamily(address) === 6);
  const skewMs = ((256 - priority) / 256) * (isThree ? advertMs : 1000);
  return Math.ceil(adverts * advertMs + skewMs);
}
