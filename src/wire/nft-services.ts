/**
 * The virtual-service table as an nft script: the data plane for kernels without IPVS.
 *
 *   direct   netdev ingress: nft-direct.ts
 *   nat      inet prerouting: DNAT; the kernel's connection tracking remembers. It would remember a UDP client of a server
 *            that left for as long as the client sends, so such an entry is ended; a TCP connection ends by itself.
 *
 * Weights become slots: `numgen inc mod 4 map { 0-2 : a, 3 : b }` sends exactly three to one; `sh` and `dh` hash the
 * client's or the service's address into the same slots. A quiesced server has no slot, and keeps its connections.
 * The whole is one transaction: maps and counters are kept from one to the next, rules are made anew.
 *
 * What it cannot do has a sentence (`nftRefusal`): it counts no open connections and builds no tunnels.
 * Rejected: one big connection map for all services (its key does not fit into nft's registers).
 * Source: nft(8), nft 1.0.6.
 */
import type { IpAddress } from '../base/index.ts';
import type {
  DestinationRow,
  ForwardingMethod,
  ServiceEntry,
  ServiceKey,
  ServiceRow,
  ServiceTable,
} from '../model/index.ts';
import type { NatFlow } from './conntrack.ts';
import {
  directRules,
  errorRules,
  heardRule,
  hearingRules,
  type ServerPlace,
} from './nft-direct.ts';
import {
  type CounterKind,
  choose,
  counterName,
  entryOf,
  mapText,
  type NftFamily,
  type NftObject,
  type NftRules,
  nameOf,
  words,
} from './nft-words.ts';

export const NFT_SERVICES_TABLE = 'piranha-lvs';

export type NftServices = {
  readonly objects: readonly NftObject[];
  readonly rules: readonly string[];
};

/** What the tables stand on. */
export type NftGround = {
  /** Direct servers that are not here are left out. */
  readonly places: ReadonlyMap<IpAddress, ServerPlace>;
  /** Whose ingress is watched. */
  readonly devices: readonly string[];
  /** Who is told of connections, and heard. */
  readonly partner?: ServerPlace;
};

export type NftRefusal = {
  /** The directive that asks for it. */
  readonly directive: 'scheduler' | 'network' | 'fwmark' | 'pmask';
  /** A clause. */
  readonly text: string;
};

/** Why nftables cannot carry this; undefined: it can. */
export function nftRefusal(asked: {
  readonly scheduler: string;
  readonly method: ForwardingMethod;
  readonly isMarked: boolean;
  readonly hasPersistenceMask: boolean;
}): NftRefusal | undefined {
  const { scheduler, method, isMarked, hasPersistenceMask } = asked;
  if (!['rr', 'wrr', 'sh', 'dh'].includes(scheduler)) {
    const text = `nftables does not count connections, so it has no scheduler ${scheduler}; rr, wrr, sh and dh are possible`;
    return { directive: 'scheduler', text };
  }
  if (method === 'tunnel') {
    const text = 'nftables builds no tunnels; nat and direct are possible';
    return { directive: 'network', text };
  }
  if (isMarked && method === 'direct') {
    const text =
      'nftables routes directly before marks are set; give the service an address in place of its fwmark';
    return { directive: 'fwmark', text };
  }
  if (hasPersistenceMask && method === 'nat') {
    const text = 'nftables keeps nat clients by their whole address; leave pmask out';
    return { directive: 'pmask', text };
  }
  return undefined;
}

/** The same of a row with servers of this method. */
export function nftRowRefusal(
  { key, scheduler, persistentSeconds, persistencePrefixLength }: ServiceRow,
  method: ForwardingMethod,
): NftRefusal | undefined {
  const full = words(key)[0] === 'ip6' ? 128 : 32;
  return nftRefusal({
    scheduler,
    method,
    isMarked: key.kind === 'mark',
    hasPersistenceMask: persistentSeconds > 0 && persistencePrefixLength < full,
  });
}

/** Everything that the table needs; what has no server yet has no rule. */
export function buildNftServices(table: ServiceTable, ground: NftGround): NftServices {
  const { places, devices, partner } = ground;
  const direct = table.filter(({ destinations }) => destinations[0]?.method === 'direct');
  const nat = table.filter((entry) => entry.destinations.length > 0 && !direct.includes(entry));
  const told = devices.length > 0 ? partner : undefined;
  const into = ingress('in', devices, -300);
  const parts: readonly Part[] = [
    {
      family: 'netdev',
      prefix: 's',
      base: into,
      beside: errorRules(direct, places, into.name),
      services: devices.length === 0 ? [] : direct,
      rulesOf: (entry) => directRules(entry, places, told),
    },
    {
      family: 'netdev',
      prefix: 'y',
      // A lease gate lies at -500, and who stands by has it shut.
      base: ingress('heard', told === undefined ? [] : [told.device], -600),
      before: heardRule(direct, places),
      services: told === undefined ? [] : direct,
      rulesOf: (entry) => hearingRules(entry, places),
    },
    {
      family: 'inet',
      prefix: 's',
      base: { name: 'in', body: 'type nat hook prerouting priority dstnat; policy accept;' },
      services: nat,
      rulesOf: natRules,
    },
  ];
  const built = [...parts.map(assemble), natCounts(nat)];
  return {
    objects: built.flatMap(({ objects }) => objects),
    rules: built.flatMap(({ rules }) => rules),
  };
}

/** The whole transaction. `stale`: objects that stand from an earlier script and that this one does not have. */
export function nftScript({ objects, rules }: NftServices, stale: readonly NftObject[]): string {
  const table = NFT_SERVICES_TABLE;
  const declare = ({ family, kind, name, body }: NftObject) =>
    `add ${kind} ${family} ${table} ${name}${body === '' ? '' : ` { ${body} }`}`;
  return [
    ...['inet', 'netdev'].map((family) => `add table ${family} ${table}`),
    ...stale.map(declare),
    ...objects.map(declare),
    ...['inet', 'netdev'].map((family) => `flush table ${family} ${table}`),
    ...stale.map(({ family, kind, name }) => `delete ${kind} ${family} ${table} ${name}`),
    ...rules,
    '',
  ].join('\n');
}

/** Takes both tables away, whether they stand or not. */
export function nftRemoval(): string {
  return ['inet', 'netdev']
    .flatMap((family) => [
      `add table ${family} ${NFT_SERVICES_TABLE}`,
      `delete table ${family} ${NFT_SERVICES_TABLE}`,
    ])
    .concat('')
    .join('\n');
}

/** Servers that took UDP by nat in one table and, in one service at least, do not in the next. */
export function leftServers(before: ServiceTable, after: ServiceTable): readonly IpAddress[] {
  const nameOfTurn = ({ key, row }: UdpTurn) => counterName('to', key, row);
  const staying = new Set(udpTurns(after).map(nameOfTurn));
  const left = udpTurns(before).filter((turn) => !staying.has(nameOfTurn(turn)));
  return [...new Set(left.map(({ row }) => row.address))];
}

/** Whether the one table has sent this conversation to its server, and the next one would not. */
export function isLeftBehind(flow: NatFlow, before: ServiceTable, after: ServiceTable): boolean {
  const isOf = (table: ServiceTable) => udpTurns(table).some((turn) => carries(turn, flow));
  return isOf(before) && !isOf(after);
}

type UdpTurn = { readonly key: ServiceKey; readonly row: DestinationRow };

function udpTurns(table: ServiceTable): readonly UdpTurn[] {
  return table
    .filter(({ service: { key } }) => key.kind === 'mark' || key.protocol === 'udp')
    .flatMap(({ service: { key }, destinations }) =>
      destinations.filter(({ method }) => method === 'nat').map((row) => ({ key, row })),
    );
}

/** What a mark was set for is not known: whom the client asked does not count there. */
function carries({ key, row }: UdpTurn, { asked, server }: NatFlow): boolean {
  const isAsked =
    key.kind === 'mark' ||
    (key.address === asked.address && (key.port === 0 || key.port === asked.port));
  return isAsked && row.address === server.address && (row.port === 0 || row.port === server.port);
}

type Part = {
  readonly family: NftFamily;
  /** Of the services' chains. */
  readonly prefix: string;
  readonly base: { readonly name: string; readonly body: string };
  /** Stands before the look-up of the service. */
  readonly before?: string;
  /** Stands behind it. */
  readonly beside?: NftRules;
  readonly services: readonly ServiceEntry[];
  readonly rulesOf: (entry: ServiceEntry) => NftRules;
};

/** The services' chains, and the base chain from which a verdict map leads to them. */
function assemble(part: Part): NftServices {
  const { family, prefix, base, before = '', beside, services, rulesOf } = part;
  const objects: NftObject[] = [];
  const rules: string[] = [];
  const entries = new Map<string, string[]>();
  const add = (chain: string, rule: string) =>
    rules.push(`add rule ${family} ${NFT_SERVICES_TABLE} ${chain} ${rule}`);
  for (const entry of services) {
    const built = rulesOf(entry);
    if (built.rules.length === 0) continue;
    objects.push(...built.objects);
    for (const [chain, rule] of built.rules) add(chain, rule);
    const { selector, value } = entryOf(entry.service.key);
    const target = `goto ${prefix}_${nameOf(entry.service.key)}`;
    const values = entries.get(selector) ?? [];
    values.push(value === '' ? target : `${value} : ${target}`);
    entries.set(selector, values);
  }
  if (entries.size === 0) return { objects: [], rules: [] };
  objects.push({ family, kind: 'chain', ...base }, ...(beside?.objects ?? []));
  for (const [selector, values] of entries) {
    const isMarked = values[0]?.startsWith('goto ') === true;
    for (const word of isMarked ? values : [`vmap { ${values.join(', ')} }`])
      add(base.name, [before, selector, word].filter((part) => part !== '').join(' '));
  }
  for (const [chain, rule] of beside?.rules ?? []) add(chain, rule);
  return { objects, rules };
}

/** Named by its devices: with other devices it is another chain. */
function ingress(name: string, devices: readonly string[], priority: number) {
  const list = devices.map((device) => `"${device}"`).join(', ');
  return {
    name: [name, ...devices.map((device) => device.replaceAll(/[^0-9A-Za-z]/g, '_'))]
      .join('_')
      .slice(0, 100),
    body: `type filter hook ingress devices = { ${list} } priority ${priority}; policy accept;`,
  };
}

function natRules({ service, destinations }: ServiceEntry): NftRules {
  const { key } = service;
  const alive = destinations.filter(({ weight }) => weight > 0);
  if (alive.length === 0) return { objects: [], rules: [] };
  const [ip] = words(key);
  const name = `s_${nameOf(key)}`;
  // A client keeps its server by its address: the hash is the same for all its connections.
  const scheduler = service.persistentSeconds > 0 ? 'sh' : service.scheduler;
  const keepsPort = alive.every(({ port }) => port === 0);
  const protocols = key.kind === 'address' ? [key.protocol] : ['tcp', 'udp'];
  if (!keepsPort && alive.some(({ port }) => port === 0)) {
    return mixedNatRules(alive, { ip, name, scheduler, protocols });
  }
  const target = (row: DestinationRow): string => {
    if (keepsPort) return row.address;
    return alive.length > 1 ? `${row.address} . ${row.port}` : endpoint(row, ip);
  };
  const chosen = choose(
    scheduler,
    ip,
    alive.map((row) => [row, target(row)]),
  );
  return {
    objects: [{ family: 'inet', kind: 'chain', name, body: '' }],
    rules: protocols.map((protocol) => [name, `meta l4proto ${protocol} dnat ${ip} to ${chosen}`]),
  };
}

type NatWords = {
  readonly ip: string;
  readonly name: string;
  readonly scheduler: string;
  readonly protocols: readonly string[];
};

/** Of the sections of one mark some name a port, others do not. No map of nft holds both: each server has its chain. */
function mixedNatRules(alive: readonly DestinationRow[], of: NatWords): NftRules {
  const { ip, name, scheduler, protocols } = of;
  const chains = alive.map((row, index) => ({ row, chain: `${name}_${index}` }));
  const verdicts = chains.map(({ row, chain }) => [row, `goto ${chain}`] as const);
  return {
    objects: [name, ...chains.map(({ chain }) => chain)].map((chain) => {
      return { family: 'inet', kind: 'chain', name: chain, body: '' };
    }),
    rules: [
      [name, choose(scheduler, ip, verdicts, 'vmap')],
      ...chains.flatMap(({ row, chain }) =>
        protocols.map((protocol): readonly [string, string] => {
          const to = row.port === 0 ? row.address : endpoint(row, ip);
          return [chain, `meta l4proto ${protocol} dnat ${ip} to ${to}`];
        }),
      ),
    ],
  };
}

function endpoint({ address, port }: DestinationRow, ip: string): string {
  return ip === 'ip6' ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * What nat servers get and give, counted behind the rewriting by the address that the client asked for, the server's and its
 * port. A mark has no such address, and a server that keeps the client's port none: they are not counted.
 */
function natCounts(table: ServiceTable): NftServices {
  const counted = table.flatMap(({ service: { key }, destinations }) =>
    key.kind === 'mark'
      ? []
      : destinations.filter(({ port }) => port > 0).map((row) => ({ key, row, ip: words(key)[0] })),
  );
  if (counted.length === 0) return { objects: [], rules: [] };
  const body = `type filter hook prerouting priority dstnat + 10; policy accept;`;
  const base: NftObject = { family: 'inet', kind: 'chain', name: 'count', body };
  const kinds: readonly (readonly [CounterKind, string, string])[] = [
    ['new', 'ct direction original ct state new', 'd'],
    ['to', 'ct direction original', 'd'],
    ['from', 'ct direction reply', 's'],
  ];
  const families = Map.groupBy(counted, ({ ip }) => ip);
  return {
    objects: [
      base,
      ...counted.flatMap(({ key, row }) =>
        kinds.map(([kind]): NftObject => {
          const name = counterName(kind, key, row);
          return { family: 'inet', kind: 'counter', name, body: '' };
        }),
      ),
    ],
    rules: [...families].flatMap(([ip, rows]) =>
      kinds.map(([kind, when, end]) => {
        const map = mapText(
          rows.map(({ key, row }) => [
            `${key.address} . ${row.address} . ${row.port}`,
            `"${counterName(kind, key, row)}"`,
          ]),
        );
        return `add rule inet ${NFT_SERVICES_TABLE} count ${when} counter name ct original ${ip} daddr . ${ip} ${end}addr . th ${end}port map ${map}`;
      }),
    ),
  };
}
