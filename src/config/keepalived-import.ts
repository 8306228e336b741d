/**
 * keepalived.conf -> lvs.cf, and a note on every line that is not carried over as it was.
 *
 * The result is text with the comments that stood above services and servers, made to be read and kept; it has been
 * judged by the parser of lvs.cf before it is given out, so it can be run or is not there.
 * Source: keepalived.conf(5) 2.2.7; docs/migration.md tells it to operators.
 */
import { type IpAddress, ipFamily } from '../base/index.ts';
import { type Globals, readGlobals, syncPairs } from './keepalived-globals.ts';
import { type Endpoint, type Groups, readGroups } from './keepalived-groups.ts';
import { type Handlers, walk } from './keepalived-left.ts';
import type { LinesOptions } from './keepalived-lines.ts';
import { type Note, Notes } from './keepalived-notes.ts';
import { type ImportedService, readService } from './keepalived-services.ts';
import { type Entry, parseKeepalived } from './keepalived-syntax.ts';
import {
  commentLines,
  isInNetwork,
  lines,
  maskFor,
  maskOf,
  place,
  portOf,
  serverLines,
} from './keepalived-text.ts';
import {
  deviceName,
  hookHandlers,
  type ImportedVip,
  type Instance,
  masterDownMs,
  readInstance,
  readTracked,
} from './keepalived-vrrp.ts';
import { parseSettings } from './parse.ts';
import type { Problem } from './problem.ts';

export type ImportOptions = LinesOptions & {
  /** Addresses of the directors: keepalived.conf names them only with unicast. */
  readonly primary?: IpAddress;
  readonly backup?: IpAddress;
  /** For VIPs of services that no vrrp_instance raises. */
  readonly device?: string;
};

export type Imported = {
  /** An lvs.cf that can be run; absent when a note is `refused`. */
  readonly text?: string;
  /** By line. */
  readonly notes: readonly Note[];
};

/** Sections of the result; a group of hundreds of addresses multiplies its servers. */
const MAX_SECTIONS = 50_000;

/** Reads a keepalived.conf. Never throws. */
export function importKeepalived(text: string, options: ImportOptions = {}): Imported {
  const notes = new Notes();
  const entries = parseKeepalived(text, options, notes);
  const written = notes.isRefused ? undefined : new Import(entries, options, notes).write();
  const problems = written === undefined ? [] : parseSettings(written, { file: 'lvs.cf' }).problems;
  for (const { found, message } of problems.filter(isError).slice(0, 20)) {
    notes.add('refused', { key: found, line: 0 }, `the lvs.cf could not be run: ${message}`);
  }
  const sorted = notes.list.toSorted(byPlace);
  return written === undefined || notes.isRefused
    ? { notes: sorted }
    : { text: written, notes: sorted };
}

function isError({ severity }: Problem): boolean {
  return severity === 'error';
}

/** The file itself comes before those that it includes. */
function byPlace(a: Note, b: Note): number {
  const [one = '', other = ''] = [a.file, b.file];
  return one === other ? a.line - b.line : one < other ? -1 : 1;
}

class Import {
  readonly #notes: Notes;
  readonly #options: ImportOptions;
  readonly #globals: Globals;
  readonly #instances: readonly Instance[];
  readonly #services: readonly ImportedService[];
  readonly #grouped = new Set<string>();
  readonly #hooks = new Map<string, string>();
  readonly #vips = new Map<IpAddress, ImportedVip>();
  readonly #usedNames = new Map<string, number>();
  /** Lines of services by where they are reached. */
  readonly #reached = new Map<string, number>();
  #tracksLinks = false;
  #sections = 0;

  constructor(entries: readonly Entry[], options: ImportOptions, notes: Notes) {
    this.#notes = notes;
    this.#options = options;
    const blocks = (key: string) => entries.filter((entry) => entry.key === key);
    const statements = blocks('global_defs').flatMap(({ children }) => children ?? []);
    this.#globals = readGlobals(statements, notes);
    this.#instances = blocks('vrrp_instance').map((entry) =>
      readInstance(entry, this.#globals.defaults, notes),
    );
    const groups: Groups = readGroups(blocks('virtual_server_group'), notes);
    this.#services = blocks('virtual_server').flatMap(
      (entry) => readService(entry, groups, notes) ?? [],
    );
    const taken = () => {};
    const handlers: Handlers = {
      global_defs: taken,
      vrrp_sync_group: (entry) => this.#readSyncGroup(entry),
      vrrp_instance: taken,
      virtual_server: taken,
      virtual_server_group: taken,
    };
    walk(entries, handlers, notes);
    for (const instance of this.#instances) {
      for (const vip of instance.vips)
        if (!this.#vips.has(vip.address)) this.#vips.set(vip.address, vip);
    }
  }

  write(): string | undefined {
    const pair = this.#pair();
    const timers = this.#timers();
    this.#tellInstances();
    const network = this.#network();
    const sections = this.#services.flatMap((service) =>
      service.endpoints.flatMap((endpoint, index) => this.#section(service, endpoint, index)),
    );
    const lonely = this.#lonelyVips();
    const router = network === 'nat' ? this.#natRouter(lonely) : undefined;
    const plain = lonely.filter((vip) => vip !== router);
    if (pair === undefined) return undefined;
    const hasServices = sections.length > 0;
    const { syncDaemon, timeouts, defaults } = this.#globals;
    const { announceRefresh } = this.#instances[0] ?? defaults;
    const routerPairs: [string, string][] =
      router === undefined ? [] : [['nat_router', place(router)], ...maskOf('nat_nmask', router)];
    const global: readonly [string, string][] = [
      ['serial_no', '1'],
      ...pair,
      ...timers,
      ...pairOf('announce_refresh', announceRefresh?.toString()),
      ['network', network],
      ...routerPairs,
      ...(hasServices ? [] : ([['dataplane', 'none']] satisfies [string, string][])),
      ...(syncDaemon === undefined ? [] : syncPairs(syncDaemon, this.#instances, this.#notes)),
      ...timeouts,
      ...this.#hookPairs(),
    ];
    const vipSections = plain.flatMap((vip) => this.#vipSection(vip, hasServices));
    return [...lines(new Map(global), ''), ...sections, ...vipSections, ''].join('\n');
  }

  #readSyncGroup(entry: Entry): void {
    const handlers: Handlers = {
      group: ({ children }) => {
        for (const { key, args } of children ?? []) {
          for (const name of [key, ...args]) this.#grouped.add(name);
        }
      },
      track_interface: (tracked) => {
        this.#tracksLinks = true;
        const own = this.#instances.map(({ device }) => device);
        readTracked(tracked, own, this.#notes);
      },
      ...hookHandlers(this.#hooks, `GROUP ${entry.args[0] ?? ''}`, this.#notes),
    };
    walk(entry.children ?? [], handlers, this.#notes);
  }

  /** `primary`, `backup`; undefined when they are not known, which has been told. */
  #pair(): [string, string][] | undefined {
    const [instance] = this.#instances;
    const own = this.#instances.find((one) => one.own !== undefined)?.own;
    const [peer, ...others] = new Set(this.#instances.flatMap(({ peers }) => peers));
    // Where nopreempt wants BACKUP on both machines, a priority above the usual one tells.
    const isPrimary =
      instance?.state === 'MASTER' ||
      instance?.priority === 255 ||
      (instance?.isNoPreempt === true && instance.priority > 100);
    const primary = this.#options.primary ?? (isPrimary ? own : peer);
    const backup = this.#options.backup ?? (isPrimary ? peer : own);
    const where = instance?.entry ?? { key: 'vrrp_instance', line: 0 };
    if (primary === undefined || (instance !== undefined && backup === undefined)) {
      const sentence =
        instance === undefined
          ? 'there is none, so no director is named; give --primary ADDRESS, and --backup ADDRESS for a pair'
          : 'the file does not name both directors (only unicast_src_ip and unicast_peer would); give --primary ADDRESS and --backup ADDRESS';
      this.#notes.add('refused', where, sentence);
      return undefined;
    }
    for (const other of others) {
      this.#notes.add('lost', where, `a pair has two directors; ${other} is left out`);
    }
    const isTold = this.#options.primary !== undefined && this.#options.backup !== undefined;
    if (instance !== undefined && !isTold) {
      const role = isPrimary ? 'primary' : 'backup';
      const sentence = `by its state and priority this machine is the ${role}; the same lvs.cf goes on both`;
      this.#notes.add('changed', where, sentence);
    }
    if (backup === undefined) return [['primary', primary]];
    return [
      ['primary', primary],
      ['backup', backup],
      ['backup_active', '1'],
    ];
  }

  #timers(): [string, string][] {
    const [instance] = this.#instances;
    if (instance === undefined) return [];
    const { advertMs, entry } = instance;
    const deadMs = Math.min(86_400_000, Math.max(20, masterDownMs(instance)));
    const sentence = `silence of ${deadMs} ms brings a takeover: ${instance.adverts} adverts of ${advertMs} ms, and the skew of priority ${instance.priority}`;
    this.#notes.add('changed', entry, sentence);
    const isWhole = (ms: number) => ms % 1000 === 0;
    const preempts = !this.#instances.some(({ isNoPreempt }) => isNoPreempt);
    const links =
      this.#tracksLinks || this.#instances.some((one) => one.tracksPrimary || one.tracksLinks);
    return [
      isWhole(advertMs)
        ? ['keepalive', String(advertMs / 1000)]
        : ['keepalive_ms', String(advertMs)],
      isWhole(deadMs) ? ['deadtime', String(deadMs / 1000)] : ['deadtime_ms', String(deadMs)],
      ['failback', preempts ? 'auto' : 'none'],
      ['monitor_links', links ? '1' : '0'],
    ];
  }

  #tellInstances(): void {
    const [first, ...others] = this.#instances;
    if (first === undefined) return;
    for (const instance of this.#instances) {
      if (instance.isNoPreempt && instance.state === 'MASTER') {
        const sentence = 'keepalived ignores nopreempt beside state MASTER; here it is heeded';
        this.#notes.add('changed', instance.entry, sentence);
      }
    }
    for (const instance of others) {
      if ((instance.state === 'MASTER') !== (first.state === 'MASTER')) {
        const sentence =
          'one director owns all VIPs at a time: this instance moves to where the first one is';
        this.#notes.add('lost', instance.entry, sentence);
      } else if (!this.#grouped.has(instance.name) || !this.#grouped.has(first.name)) {
        const sentence = 'moves by itself in keepalived; here all VIPs move together';
        this.#notes.add('changed', instance.entry, sentence);
      }
      if (masterDownMs(instance) !== masterDownMs(first) || instance.advertMs !== first.advertMs) {
        const sentence = `the timers are those of the first instance, line ${first.entry.line}`;
        this.#notes.add('changed', instance.entry, sentence);
      }
      if (instance.hooks.size > 0) {
        const sentence = `hooks are those of ${this.#hooks.size > 0 ? 'the sync group' : 'the first instance that has some'}`;
        const isUsed = this.#hooks.size === 0 && first.hooks.size === 0;
        if (!isUsed) this.#notes.add('lost', instance.entry, sentence);
      }
    }
  }

  #hookPairs(): [string, string][] {
    const all = [this.#hooks, ...this.#instances.map(({ hooks }) => hooks)];
    const hooks = all.find(({ size }) => size > 0);
    const any = hooks?.get('any');
    const active = hooks?.get('active') ?? (any === undefined ? undefined : `${any} MASTER`);
    const inactive = hooks?.get('inactive') ?? (any === undefined ? undefined : `${any} BACKUP`);
    return [...pairOf('active_cmd', active), ...pairOf('inactive_cmd', inactive)];
  }

  /** The method of most services. */
  #network(): 'nat' | 'direct' | 'tunnel' {
    const counts = new Map<string, number>();
    for (const { method } of this.#services) counts.set(method, (counts.get(method) ?? 0) + 1);
    const [most = 'DR'] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? [];
    const network = most === 'NAT' ? 'nat' : most === 'DR' ? 'direct' : 'tunnel';
    for (const service of this.#services) {
      const sentence = `the file has one forwarding method, \`network = ${network}\`; what forwards otherwise is kept with \`active = 0\``;
      if (service.method !== most) {
        service.isSupported = false;
        this.#notes.add('lost', service.methodAt, sentence);
      }
      for (const server of service.servers) {
        if (server.method === undefined || server.method === service.method) continue;
        this.#notes.add('lost', server.methodAt, sentence);
        server.method = 'other';
      }
    }
    return network;
  }

  #section(service: ImportedService, endpoint: Endpoint, index: number): string[] {
    const vip = this.#vipOf(service, endpoint);
    const count = 1 + service.servers.length;
    const { mark, address, port } = endpoint;
    const protocol = new Map(service.directives).get('protocol') ?? 'tcp';
    const where = mark > 0 ? `mark ${mark}` : `${address} ${port} ${protocol}`;
    const twin = this.#reached.get(where);
    let why: string | undefined;
    if (twin !== undefined) why = `it is reached where that of line ${twin} is`;
    else if (this.#sections + count > MAX_SECTIONS) {
      why = `there are more than ${MAX_SECTIONS} sections`;
    } else if (vip === undefined) {
      why =
        mark > 0
          ? 'a section has an address beside its mark, and the file raises none; add a virtual_ipaddress'
          : 'no vrrp_instance tells a device for its VIP; --device NAME does';
    }
    if (vip === undefined || why !== undefined) {
      this.#notes.add('lost', service.entry, `${why}; the service is left out`);
      return [];
    }
    this.#reached.set(where, service.entry.line);
    this.#sections += count;
    const settled = new Map(service.directives);
    const pmask = settled.get('pmask');
    if (pmask !== undefined) settled.set('pmask', maskFor(pmask, vip.address));
    const name = this.#name(service, endpoint, index);
    const kind: [string, string][] = mark > 0 ? [['fwmark', String(mark)]] : [];
    const pairs = new Map<string, string>([
      ['active', service.isSupported ? '1' : '0'],
      ['address', place(vip)],
      ...maskOf('vip_nmask', vip),
      ...kind,
      ['port', String(portOf(service, endpoint))],
      ...settled,
    ]);
    const names = new Set<string>();
    const servers = service.servers.flatMap((server) => {
      const short = names.has(server.address) ? `${server.address}-${server.port}` : server.address;
      names.add(server.address);
      return serverLines(server, short);
    });
    const comments = index === 0 ? commentLines(service.entry, '') : [];
    return ['', ...comments, `virtual ${name} {`, ...lines(pairs, '    '), ...servers, '}'];
  }

  #vipOf(service: ImportedService, { address }: Endpoint): ImportedVip | undefined {
    const { entry } = service;
    if (address === undefined) return this.#vipOfMark(service);
    const known = this.#vips.get(address);
    if (known !== undefined) return known;
    const device = deviceName(this.#options.device) ?? this.#instances[0]?.device;
    if (device === undefined) return undefined;
    const sentence = `${address} is in no virtual_ipaddress; here a service raises its VIP, on ${device}`;
    this.#notes.add('changed', entry, sentence);
    const vip = { address, prefixLength: ipFamily(address) === 4 ? 32 : 128, device, entry };
    this.#vips.set(address, vip);
    return vip;
  }

  /** A marked service has no address of its own; it goes with a VIP that its servers can answer for. */
  #vipOfMark({ servers: [first] }: ImportedService): ImportedVip | undefined {
    const vips = [...this.#vips.values()];
    const family = first === undefined ? undefined : ipFamily(first.address);
    return vips.find(({ address }) => ipFamily(address) === family) ?? vips[0];
  }

  #name({ group }: ImportedService, { address, port, mark }: Endpoint, index: number): string {
    const plain = (group ?? '').replace(/[^\w.-]/g, '-').slice(0, 60);
    const own = mark > 0 ? `fwmark-${mark}` : `${address}-${port}`;
    const wish = plain === '' ? own : `${plain}-${index + 1}`;
    const twins = this.#usedNames.get(wish) ?? 0;
    this.#usedNames.set(wish, twins + 1);
    return twins === 0 ? wish : `${wish}-${twins + 1}`;
  }

  /** VIPs that no service has. */
  #lonelyVips(): readonly ImportedVip[] {
    const served = new Set(
      this.#services.flatMap((service) =>
        service.endpoints.map(({ address }) => address ?? this.#vipOfMark(service)?.address),
      ),
    );
    return [...this.#vips.values()].filter(({ address }) => !served.has(address));
  }

  /** With NAT, the VIP in whose network a real server stands is its gateway. */
  #natRouter(lonely: readonly ImportedVip[]): ImportedVip | undefined {
    const servers = this.#services.flatMap((service) =>
      service.servers.map(({ address }) => address),
    );
    const router = lonely.find(
      (vip) =>
        vip.prefixLength < (ipFamily(vip.address) === 4 ? 32 : 128) &&
        servers.some((server) => isInNetwork(server, vip)),
    );
    if (router !== undefined) {
      this.#notes.add('changed', router.entry, 'the gateway of the real servers: nat_router');
    }
    return router;
  }

  /** A VIP alone. Beside services it needs a port on which nobody waits for an answer. */
  #vipSection(vip: ImportedVip, hasServices: boolean): string[] {
    if (++this.#sections > MAX_SECTIONS) return [];
    const port: [string, string][] = hasServices ? [['port', '9']] : [];
    if (hasServices) {
      const sentence =
        'a VIP without a service: its section has port 9 (discard), nothing else is caught';
      this.#notes.add('changed', vip.entry, sentence);
    }
    const pairs = new Map([
      ['active', '1'],
      ['address', place(vip)],
      ...maskOf('vip_nmask', vip),
      ...port,
    ]);
    return [
      '',
      ...commentLines(vip.entry, ''),
      `virtual vip-${vip.address} {`,
      ...lines(pairs, '    '),
      '}',
    ];
  }
}

function pairOf(key: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[key, value]];
}
