/**
 * virtual_server as sections of lvs.cf.
 *
 * What is one statement of each server there is one of the service here: the check, the forwarding method (of the whole
 * file even), quiesce_server. The first server's, or the most frequent, is taken; a server or service that would be
 * served wrongly under it is kept in the file with `active = 0` rather than sent packets it cannot answer.
 * Source: keepalived.conf(5) "Virtual server(s)"; ipvsadm(8).
 */
import { type IpAddress, ipBytes, ipFamily } from '../base/index.ts';
import type { Scheduler } from '../model/index.ts';
import {
  type ImportedCheck,
  isChecker,
  readCheck,
  type Timing,
  timingDirectives,
  timingHandlers,
} from './keepalived-checks.ts';
import { type Endpoint, type Groups, portOf } from './keepalived-groups.ts';
import { type Handlers, walk } from './keepalived-left.ts';
import type { Notes } from './keepalived-notes.ts';
import type { Entry } from './keepalived-syntax.ts';
import { addressOf, commandOf, flagOf, isUnspecified, wholeOf } from './keepalived-vrrp.ts';

export type Pairs = [key: string, value: string][];

export type ImportedServer = {
  readonly entry: Entry;
  readonly address: IpAddress;
  readonly port: number;
  method: string | undefined;
  /** Where the method is said. */
  methodAt: Entry;
  inhibits?: boolean;
  readonly directives: Pairs;
};

export type ImportedService = {
  readonly entry: Entry;
  /** A group has several. */
  readonly endpoints: readonly Endpoint[];
  readonly group?: string;
  method: string;
  /** Where the method is said. */
  methodAt: Entry;
  isSupported: boolean;
  /** As the first endpoint has them. */
  readonly directives: Pairs;
  readonly servers: ImportedServer[];
};

const SCHEDULERS: readonly Scheduler[] = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh'];
/** Undefined when the service cannot be offered at all, which has been told. */
export function readService(
  entry: Entry,
  groups: Groups,
  notes: Notes,
): ImportedService | undefined {
  const endpoints = endpointsOf(entry, groups);
  if (endpoints === undefined || endpoints.length === 0) {
    const sentence =
      'wants an address with or without a port, `fwmark` and its number, or `group` and its name';
    notes.add('lost', entry, `${sentence}; the service is left out`);
    return undefined;
  }
  const [kind, name] = entry.args;
  const service: ImportedService = {
    entry,
    endpoints,
    ...(kind === 'group' && name !== undefined ? { group: name } : {}),
    method: 'NAT',
    methodAt: entry,
    isSupported: true,
    directives: [],
    servers: [],
  };
  const timing: Timing = {};
  const realServers: Entry[] = [];
  const flags: Defaults = { inhibits: false };
  const handlers: Handlers = {
    ...timingHandlers(timing, notes),
    ...serviceHandlers(service, notes),
    inhibit_on_failure: (statement) => {
      flags.inhibits = flagOf(statement);
    },
    weight: (statement) => {
      flags.weight = weightOf(statement, notes);
    },
    real_server: (server) => {
      realServers.push(server);
    },
  };
  walk(entry.children ?? [], handlers, notes);
  const checks = withoutTwins(realServers, notes).map((server) =>
    readServer(server, service, timing, flags, notes),
  );
  setQuiesce(service, flags, notes);
  addCheck(service, checks, timing, notes);
  return service;
}

/** keepalived holds an address and port once in a service, too. */
function withoutTwins(servers: readonly Entry[], notes: Notes): readonly Entry[] {
  const known = new Map<string, number>();
  return servers.filter((entry) => {
    const place = entry.args.join(' ');
    const twin = known.get(place);
    if (twin !== undefined)
      notes.add('lost', entry, `is the server of line ${twin}; it is left out`);
    else known.set(place, entry.line);
    return twin === undefined;
  });
}

/** One word for the whole service here. */
function setQuiesce({ servers, directives }: ImportedService, flags: Defaults, notes: Notes): void {
  const inhibits = ({ inhibits: own }: ImportedServer) => own ?? flags.inhibits;
  const isQuiesced = servers.some(inhibits);
  if (isQuiesced) directives.push(['quiesce_server', '1']);
  for (const server of servers.filter((one) => inhibits(one) !== isQuiesced)) {
    const sentence = 'quiesce_server is one for the service: a failed server keeps its connections';
    notes.add('changed', server.entry, sentence);
  }
}

function endpointsOf({ args }: Entry, groups: Groups): readonly Endpoint[] | undefined {
  const [first = '', second] = args;
  if (first === 'group') return groups.get(second ?? '');
  if (first === 'fwmark') {
    const isMark = /^\d{1,10}$/.test(second ?? '') && Number(second) <= 4_294_967_295;
    return isMark && Number(second) > 0 ? [{ port: 0, mark: Number(second) }] : undefined;
  }
  const address = addressOf(first);
  const port = portOf(second);
  if (address === undefined || isUnspecified(address) || port === undefined) return undefined;
  return [{ address, port, mark: 0 }];
}

function serviceHandlers(service: ImportedService, notes: Notes): Handlers {
  const { directives } = service;
  const number = (key: string, min: number, max: number, byDefault: number) => (entry: Entry) => {
    const value = wholeOf(entry, { min, max, byDefault }, notes);
    directives.push([key, String(value)]);
  };
  const command = (key: string) => (entry: Entry) => {
    const text = commandOf(entry, notes);
    if (text !== undefined) directives.push([key, text]);
  };
  const scheduler = (entry: Entry) => setScheduler(entry, directives, notes);
  const method = (entry: Entry) => {
    service.method = methodOf(entry, notes) ?? service.method;
    service.methodAt = entry;
  };
  return {
    lb_algo: scheduler,
    lvs_sched: scheduler,
    lb_kind: method,
    lvs_method: method,
    persistence_timeout: (entry) => {
      if (entry.args.length === 0) directives.push(['persistent', '360']);
      else number('persistent', 0, 31 * 86_400, 360)(entry);
    },
    persistence_granularity: (entry) => setMask(entry, directives, notes),
    protocol: (entry) => {
      const protocol = (entry.args[0] ?? '').toLowerCase();
      if (protocol === 'tcp' || protocol === 'udp') directives.push(['protocol', protocol]);
      else {
        service.isSupported = false;
        notes.add(
          'lost',
          entry,
          'only TCP and UDP are served; the service is kept with `active = 0`',
        );
      }
    },
    quorum: number('quorum', 1, 2_147_483_647, 1),
    hysteresis: number('hysteresis', 0, 2_147_483_647, 0),
    quorum_up: command('quorum_up_cmd'),
    quorum_down: command('quorum_down_cmd'),
    sorry_server: (entry) => setSorry(entry, service, notes),
    sorry_server_lvs_method: (entry) => {
      if (methodOf(entry, notes) !== service.method) {
        notes.add('changed', entry, 'the method is that of the whole file, `network`');
      }
    },
  };
}

function setScheduler(entry: Entry, directives: Pairs, notes: Notes): void {
  const known = SCHEDULERS.find((name) => name === entry.args[0]);
  directives.push(['scheduler', known ?? 'wlc']);
  if (known === undefined) {
    notes.add(
      'changed',
      entry,
      `no such scheduler here: one of ${SCHEDULERS.join(', ')}; wlc is taken`,
    );
  }
  for (const flag of entry.args.slice(1)) notes.add('lost', entry, `${flag} is not passed on`);
}

function methodOf(entry: Entry, notes: Notes): string | undefined {
  const [method = '', ...options] = entry.args;
  const upper = method.toUpperCase();
  if (upper !== 'NAT' && upper !== 'DR' && upper !== 'TUN') {
    notes.add('changed', entry, 'neither NAT, DR nor TUN; that of the service is taken, or NAT');
    return undefined;
  }
  if (options.length > 0 && options.join(' ') !== 'type ipip') {
    notes.add('lost', entry, 'tunnels are plain IP in IP; what stands behind TUN is left out');
  }
  return upper;
}

function setMask(entry: Entry, directives: Pairs, notes: Notes): void {
  const [text = ''] = entry.args;
  const isLength = /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 128;
  if (isLength) directives.push(['pmask', text]);
  else if (addressOf(text) !== undefined && isNetmask(text)) directives.push(['pmask', text]);
  else notes.add('lost', entry, 'no netmask and no prefix length');
}

function isNetmask(text: string): boolean {
  const address = addressOf(text);
  if (address === undefined || ipFamily(address) === 6) return false;
  const bits = Array.from(ipBytes(address), (byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1+0*$/.test(bits);
}

function setSorry(entry: Entry, service: ImportedService, notes: Notes): void {
  const address = addressOf(entry.args[0]);
  const port = portOf(entry.args[1]);
  if (address === undefined || isUnspecified(address)) {
    notes.add('lost', entry, 'no IP address');
    return;
  }
  service.directives.push(['sorry_server', address]);
  const [endpoint] = service.endpoints;
  if (port !== undefined && port !== 0 && endpoint !== undefined && port !== endpoint.port) {
    notes.add('changed', entry, `served on the port of the service, not on port ${port}`);
  }
}

/** What a service says for its servers. */
type Defaults = { inhibits: boolean; weight?: string };

function weightOf(entry: Entry, notes: Notes): string {
  return String(wholeOf(entry, { min: 0, max: 65_535, byDefault: 1 }, notes));
}

type Outcome = { readonly entry: Entry; readonly check?: ImportedCheck };

function readServer(
  entry: Entry,
  service: ImportedService,
  outer: Timing,
  flags: Defaults,
  notes: Notes,
): Outcome {
  const address = addressOf(entry.args[0]);
  const port = portOf(entry.args[1]);
  if (address === undefined || isUnspecified(address) || port === undefined) {
    notes.add('lost', entry, 'wants an IP address with or without a port; the server is left out');
    return { entry };
  }
  const server: ImportedServer = {
    entry,
    address,
    port,
    method: undefined,
    methodAt: entry,
    directives: [],
  };
  const timing: Timing = { ...outer };
  const checkers: Entry[] = [];
  let { weight } = flags;
  const method = (statement: Entry) => {
    server.method = methodOf(statement, notes);
    server.methodAt = statement;
  };
  const handlers: Handlers = {
    ...timingHandlers(timing, notes),
    weight: (statement) => {
      weight = weightOf(statement, notes);
    },
    lvs_method: method,
    lb_kind: method,
    inhibit_on_failure: (statement) => {
      server.inhibits = flagOf(statement);
    },
  };
  const isCheck = ({ key }: Entry) => isChecker(key);
  const children = entry.children ?? [];
  walk(
    children.filter((child) => !isCheck(child)),
    handlers,
    notes,
  );
  checkers.push(...children.filter(isCheck));
  if (weight !== undefined) server.directives.push(['weight', weight]);
  service.servers.push(server);
  for (const second of checkers.slice(1)) {
    notes.add('lost', second, 'a server has one check; this one is left out');
  }
  const [first] = checkers;
  if (first === undefined) return { entry };
  const check = readCheck(first, timing, server, notes);
  return check === undefined ? { entry } : { entry, check };
}

/** The first server's check for all. Without any, keepalived never takes a server out; here something must be asked. */
function addCheck(
  service: ImportedService,
  outcomes: readonly Outcome[],
  timing: Timing,
  notes: Notes,
): void {
  const first = outcomes.find(({ check }) => check !== undefined)?.check;
  const known = JSON.stringify(first?.directives);
  for (const { entry, check } of outcomes) {
    if (first !== undefined && check === undefined) {
      notes.add(
        'changed',
        entry,
        `has no check of its own; that of line ${first.entry.line} is used`,
      );
    } else if (check !== undefined && JSON.stringify(check.directives) !== known) {
      const sentence = `the servers of a service share one check; that of line ${first?.entry.line} is used`;
      notes.add('changed', check.entry, sentence);
    }
  }
  if (first !== undefined) {
    const shared = new Map(first.directives);
    // One server's other address must not answer for its neighbours.
    const isShared = outcomes.every(({ check }) => JSON.stringify(check?.directives) === known);
    if (!isShared && shared.delete('check_address')) {
      notes.add(
        'lost',
        first.entry,
        'connect_ip differs from server to server; each is asked itself',
      );
    }
    service.directives.push(...shared);
    return;
  }
  if (service.servers.length === 0) return;
  const isTcp = !service.directives.some(([key, value]) => key === 'protocol' && value === 'udp');
  const kind = isTcp && service.servers.every(({ port }) => port > 0) ? 'tcp' : 'ping';
  const what = kind === 'tcp' ? 'a TCP connection is' : 'a ping is';
  notes.add('changed', service.entry, `its servers were never checked; here ${what} asked of them`);
  const intervalMs = timing.delayLoopMs ?? 60_000;
  const timeoutMs = timing.connectTimeoutMs ?? 5000;
  const checked = timingDirectives({ intervalMs, between: 1000, retry: 1, timeoutMs });
  service.directives.push(['check', kind], ...checked);
}
