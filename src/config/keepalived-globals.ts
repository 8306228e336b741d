/**
 * global_defs: defaults of the instances, timeouts of the kernel's table, its sync daemon.
 * Source: keepalived.conf(5) "Global definitions".
 */
import { type Handlers, walk } from './keepalived-left.ts';
import type { Notes } from './keepalived-notes.ts';
import type { Entry } from './keepalived-syntax.ts';
import {
  ADVERTS,
  ANNOUNCE_REFRESH,
  deviceName,
  type Instance,
  type InstanceDefaults,
  wholeOf,
} from './keepalived-vrrp.ts';

type Pairs = [key: string, value: string][];

export type Globals = {
  readonly defaults: InstanceDefaults;
  readonly timeouts: Pairs;
  syncDaemon?: Entry;
};

/** The statements of all blocks global_defs. */
export function readGlobals(statements: readonly Entry[], notes: Notes): Globals {
  const globals: Globals = { defaults: { adverts: ADVERTS.byDefault }, timeouts: [] };
  const { defaults, timeouts } = globals;
  const handlers: Handlers = {
    vrrp_version: (entry) => {
      defaults.version = wholeOf(entry, { min: 2, max: 3, byDefault: 2 }, notes);
    },
    vrrp_down_timer_adverts: (entry) => {
      defaults.adverts = wholeOf(entry, ADVERTS, notes);
    },
    vrrp_garp_master_refresh: (entry) => {
      defaults.announceRefresh = wholeOf(entry, ANNOUNCE_REFRESH, notes);
    },
    lvs_timeouts: (entry) => timeouts.push(...timeoutsOf(entry, notes)),
    lvs_sync_daemon: (entry) => {
      globals.syncDaemon = entry;
    },
  };
  walk(statements, handlers, notes);
  return globals;
}

const TIMEOUTS = new Map([
  ['tcp', 'tcp_timeout'],
  ['tcpfin', 'tcpfin_timeout'],
  ['udp', 'udp_timeout'],
]);

function timeoutsOf(entry: Entry, notes: Notes): Pairs {
  const pairs: Pairs = [];
  for (let index = 0; index < entry.args.length; index += 2) {
    const key = TIMEOUTS.get(entry.args[index] ?? '');
    const of = { ...entry, args: entry.args.slice(index + 1, index + 2) };
    if (key === undefined) notes.add('lost', entry, 'wants tcp, tcpfin or udp, and seconds');
    else pairs.push([key, String(wholeOf(of, { min: 0, max: 2_147_483, byDefault: 0 }, notes))]);
  }
  return pairs;
}

/** Words behind `lvs_sync_daemon DEVICE` that take one more. */
const OF_THE_KERNEL: readonly string[] = ['maxlen', 'port', 'ttl', 'group'];

/** `lvs_sync_daemon eth0 inst VI_1 id 5`, or as of old `eth0 VI_1 5`. The number is else that of the instance. */
export function syncPairs(entry: Entry, instances: readonly Instance[], notes: Notes): Pairs {
  const [name, ...words] = entry.args;
  const device = deviceName(name);
  if (device === undefined) {
    notes.add('lost', entry, 'names no interface');
    return [];
  }
  const instance = instances.find((one) => words.includes(one.name));
  let id = instance?.routerId ?? 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (OF_THE_KERNEL.includes(word)) {
      notes.add('lost', entry, `${word} is that of the kernel`);
      index++;
    } else if (word === 'id' || (index > 0 && /^\d+$/.test(word))) {
      const of = { ...entry, args: [word === 'id' ? (words[++index] ?? '') : word] };
      id = wholeOf(of, { min: 0, max: 255, byDefault: 0 }, notes);
    }
  }
  return [
    ['syncdaemon', '1'],
    ['syncd_iface', device],
    ['syncd_id', String(id)],
  ];
}
