/**
 * What is wrong with services as wholes: contradictions inside one section, names and addresses that two of them share.
 * Errors and warnings as in cross-checks.ts.
 */
import { type IpAddress, ipFamily } from '../base/index.ts';
import { nftRefusal } from '../wire/index.ts';
import { isUnspecified, persistenceLength } from './address-values.ts';
import type { GlobalDraft, ServerDraft, VirtualDraft } from './directives.ts';
import { checkProcedure, checkVipCheck } from './probe-checks.ts';
import { type Place, type ProblemList, placeOf } from './problem.ts';
import type { Drafts } from './read.ts';

export function checkServices(drafts: Drafts, problems: ProblemList): void {
  for (const service of drafts.services) checkService(service, drafts.global, problems);
  checkNames(drafts.services, problems);
  checkVips(drafts, problems);
  checkKeys(drafts.services, problems);
  checkMarks(drafts, problems);
}

/** One section by itself. */
function checkService(draft: VirtualDraft, global: GlobalDraft, problems: ProblemList): void {
  checkAddress(draft, problems);
  checkHealth(draft, problems);
  checkProcedure(draft, problems);
  checkVipCheck(draft, global, problems);
  checkPorts(draft, problems);
  checkServers(draft, global, problems);
  checkDataPlane(draft, global, problems);
  for (const key of draft.kind === 'virtual' ? ['start_cmd', 'stop_cmd'] : []) {
    if (!draft.places.has(key)) continue;
    problems.warning(
      'unused-directive',
      placeOf(draft, key),
      `\`${key}\` has no effect in a \`virtual\` section, only in a \`failover\` section`,
    );
  }
}

/** Only where nftables was asked for by name: `auto` may find a kernel with IPVS. */
function checkDataPlane(draft: VirtualDraft, global: GlobalDraft, problems: ProblemList): void {
  const isMeant = global.dataPlane === 'nftables' && draft.kind === 'virtual';
  if (!isMeant || draft.isEnabled !== true) return;
  const refusal = nftRefusal({
    scheduler: draft.scheduler ?? 'wlc',
    method: global.network ?? 'nat',
    isMarked: (draft.firewallMark ?? 0) > 0,
    hasPersistenceMask: hasPersistenceMask(draft),
  });
  if (refusal === undefined) return;
  const { directive, text } = refusal;
  const place =
    directive === 'network' ? global.places.get(directive) : draft.places.get(directive);
  const message = `\`${draft.kind} ${draft.name}\`: ${text}`;
  problems.error('unsupported', place ?? draft.place, message);
}

function hasPersistenceMask({ address, persistent = 0, persistenceMask }: VirtualDraft): boolean {
  if (persistent === 0 || persistenceMask === undefined) return false;
  const family = address === undefined ? 4 : ipFamily(address.address);
  return persistenceLength(persistenceMask, family) !== undefined;
}

function checkAddress(draft: VirtualDraft, problems: ProblemList): void {
  const isEnabled = draft.isEnabled === true;
  if (!draft.places.has('address')) {
    const message = `\`${draft.kind} ${draft.name}\` has no \`address\``;
    if (isEnabled) {
      problems.error('missing-directive', draft.place, message, 'address = 198.51.100.100 eth0:1');
    } else {
      problems.warning('missing-directive', draft.place, `${message} and is left out`);
    }
  } else if (isEnabled && draft.address !== undefined && isUnspecified(draft.address.address)) {
    problems.error(
      'not-an-address',
      placeOf(draft, 'address'),
      `\`${draft.kind} ${draft.name}\` is enabled and its address is ${draft.address.address}`,
    );
  }
}

function checkHealth(draft: VirtualDraft, problems: ProblemList): void {
  const { places } = draft;
  const timeout = draft.timeout ?? 10;
  const reentry = draft.reentry ?? 180;
  if (timeout < 1) {
    problems.warning(
      'timeout-below-one',
      placeOf(draft, 'timeout'),
      '`timeout` below one second leaves a check no time to succeed',
    );
  }
  if (reentry < timeout) {
    problems.warning(
      'reentry-below-timeout',
      places.get('reentry') ?? placeOf(draft, 'timeout'),
      `\`reentry\` (${reentry} s) is below \`timeout\` (${timeout} s): ` +
        'a server that failed returns after one good check',
    );
  }
  const kind = draft.check?.kind ?? 'nanny';
  if (kind === 'nanny' && draft.sendProgram !== undefined && draft.expect === undefined) {
    problems.warning(
      'program-without-expect',
      placeOf(draft, 'send_program'),
      '`send_program` without `expect`: its output is compared with nothing, so the servers stay down',
    );
  }
  const isUdp = kind === 'udp' || (kind === 'nanny' && draft.protocol === 'udp');
  if (isUdp && draft.expect === undefined && draft.sendProgram === undefined) {
    problems.warning(
      'udp-without-expect',
      placeOf(draft, kind === 'udp' ? 'check' : 'protocol'),
      'UDP without `expect`: any answer will do, and a server that never answers stays down',
    );
  }
  if (draft.send !== undefined && draft.sendProgram !== undefined) {
    problems.warning(
      'unused-directive',
      placeOf(draft, 'send'),
      '`send` has no effect beside `send_program`',
    );
  }
}

function checkPorts(draft: VirtualDraft, problems: ProblemList): void {
  const port = draft.places.get('port');
  const early = draft.servers.filter(
    (server) =>
      port !== undefined &&
      server.port === undefined &&
      server.defaultPort !== draft.port &&
      server.place.line < port.line,
  );
  const [first] = early;
  if (port !== undefined && first !== undefined && draft.port !== undefined) {
    problems.warning(
      'port-after-server',
      port,
      `\`port\` stands after ${early
        .map(({ name }) => `server ${name}`)
        .slice(0, 3)
        .join(
          ', ',
        )}, which keep${early.length === 1 ? 's' : ''} port ${first.defaultPort}; move it above`,
    );
  }
  const hasMark = (draft.firewallMark ?? 0) !== 0;
  if (draft.port === 0 && !hasMark && (draft.persistent ?? 0) === 0) {
    problems.warning(
      'port-zero',
      placeOf(draft, 'port'),
      'port 0 means every port and needs `persistent` or `fwmark`; the kernel refuses it otherwise',
    );
  }
  if (draft.persistenceMask !== undefined && (draft.persistent ?? 0) === 0) {
    problems.warning(
      'unused-directive',
      placeOf(draft, 'pmask'),
      '`pmask` has no effect without `persistent`',
    );
  }
}

function checkServers(draft: VirtualDraft, global: GlobalDraft, problems: ProblemList): void {
  const first = new Map<string, ServerDraft>();
  for (const server of draft.servers) {
    const twin = first.get(server.name);
    if (twin === undefined) first.set(server.name, server);
    else tellTwin('server', server.name, server.place, twin.place, problems);
    checkServer(server, draft, global, problems);
  }
  const { sorryServer } = draft;
  if (sorryServer !== undefined && !isUnspecified(sorryServer)) {
    checkReach(draft, sorryServer, placeOf(draft, 'sorry_server'), global, problems);
  }
}

function checkServer(
  server: ServerDraft,
  draft: VirtualDraft,
  global: GlobalDraft,
  problems: ProblemList,
): void {
  const isEnabled = server.isEnabled === true;
  if (!server.places.has('address')) {
    const message = `\`server ${server.name}\` has no \`address\``;
    if (isEnabled) problems.error('missing-directive', server.place, message);
    else problems.warning('missing-directive', server.place, `${message} and is left out`);
  } else if (server.address !== undefined && isUnspecified(server.address)) {
    if (!isEnabled) return;
    const message = `\`server ${server.name}\` is enabled and its address is ${server.address}`;
    problems.error('not-an-address', placeOf(server, 'address'), message);
  } else if (server.address !== undefined) {
    checkReach(draft, server.address, placeOf(server, 'address'), global, problems);
  }
}

/** IPVS mixes address families only through a tunnel (ip_vs_ctl.c, ip_vs_add_dest). */
function checkReach(
  draft: VirtualDraft,
  server: IpAddress,
  place: Place,
  global: GlobalDraft,
  problems: ProblemList,
): void {
  const vip = draft.address?.address;
  if (vip === undefined || global.network === 'tunnel' || ipFamily(vip) === ipFamily(server))
    return;
  problems.error(
    'address-family',
    place,
    `${vip} and ${server} are of different families; only \`network = tunnel\` can join them`,
  );
}

function checkNames(services: readonly VirtualDraft[], problems: ProblemList): void {
  const first = new Map<string, VirtualDraft>();
  for (const service of services) {
    const key = `${service.kind} ${service.name}`;
    const twin = first.get(key);
    if (twin === undefined) first.set(key, service);
    else tellTwin(service.kind, service.name, service.place, twin.place, problems);
  }
}

function tellTwin(
  kind: string,
  name: string,
  place: Place,
  twin: Place,
  problems: ProblemList,
): void {
  problems.warning(
    'duplicate-name',
    place,
    `a second \`${kind} ${name}\`; the first is on line ${twin.line}. Both are kept`,
  );
}

/** The same floating address on two devices or with two masks; a floating address that a director owns. */
function checkVips({ global, services }: Drafts, problems: ProblemList): void {
  const owners = new Map<IpAddress, string>();
  for (const [key, address] of [
    ['primary', global.primary],
    ['backup', global.backup],
    ['primary_private', global.primaryPrivate],
    ['backup_private', global.backupPrivate],
  ] as const) {
    if (address !== undefined && !owners.has(address)) owners.set(address, key);
  }
  const first = new Map<IpAddress, VirtualDraft>();
  const router =
    global.network === 'nat' || global.network === undefined ? global.natRouter : undefined;
  if (router !== undefined)
    tellOwned(router.address, placeOf(global, 'nat_router'), owners, problems);
  for (const service of services) {
    const vip = service.address?.address;
    if (vip === undefined || service.isEnabled !== true || isUnspecified(vip)) continue;
    tellOwned(vip, placeOf(service, 'address'), owners, problems);
    const twin = first.get(vip);
    if (twin === undefined) first.set(vip, service);
    else tellConflict(service, twin, problems);
  }
}

function tellOwned(
  address: IpAddress,
  place: Place,
  owners: ReadonlyMap<IpAddress, string>,
  problems: ProblemList,
): void {
  const owner = owners.get(address);
  if (owner === undefined || isUnspecified(address)) return;
  problems.error(
    'vip-is-director',
    place,
    `${address} is the \`${owner}\` address of a director; a floating address must be one of its own`,
  );
}

function tellConflict(service: VirtualDraft, twin: VirtualDraft, problems: ProblemList): void {
  const isSameDevice =
    service.address?.device === twin.address?.device &&
    service.address?.label === twin.address?.label;
  const isSameMask = service.netmask?.word.text === twin.netmask?.word.text;
  if (isSameDevice && isSameMask) return;
  const what = isSameDevice ? 'netmask' : 'device';
  problems.warning(
    'vip-conflict',
    placeOf(service, isSameDevice && service.netmask !== undefined ? 'vip_nmask' : 'address'),
    `${service.address?.address} has another ${what} in \`${twin.kind} ${twin.name}\` ` +
      `on line ${twin.place.line}; the first one is used`,
  );
}

/** Two enabled services that the kernel would hold under one key. */
function checkKeys(services: readonly VirtualDraft[], problems: ProblemList): void {
  const first = new Map<string, VirtualDraft>();
  for (const service of services) {
    const vip = service.address?.address;
    const mark = service.firewallMark ?? 0;
    if (service.isEnabled !== true || vip === undefined || mark !== 0) continue;
    const protocol = service.protocol ?? 'tcp';
    const key = `${service.kind} ${vip} ${protocol} ${service.port ?? 80}`;
    const twin = first.get(key);
    if (twin === undefined) {
      first.set(key, service);
      continue;
    }
    problems.warning(
      'duplicate-service',
      service.place,
      `\`${service.name}\` serves ${vip} ${protocol} port ${service.port ?? 80}, ` +
        `as \`${twin.name}\` on line ${twin.place.line} does; the kernel keeps one of them`,
    );
  }
}

/**
 * Several sections of one firewall mark are one service, whose servers keep the port that the client asked for. With nat
 * a server that listens elsewhere is then not reached, or by clients of the other sections, unless all have one port.
 */
function checkMarks({ global, services }: Drafts, problems: ProblemList): void {
  if ((global.network ?? 'nat') !== 'nat') return;
  const marked = services.filter(
    ({ kind, isEnabled, firewallMark = 0, address }) =>
      kind === 'virtual' && isEnabled === true && firewallMark !== 0 && address !== undefined,
  );
  const groups = Map.groupBy(
    marked,
    ({ firewallMark, address }) => `${firewallMark} ${address && ipFamily(address.address)}`,
  );
  for (const sections of groups.values()) {
    const ports = new Set(sections.flatMap((section) => enabledServers(section).map(portOf)));
    if (sections.length < 2 || ports.size < 2) continue;
    for (const section of sections) tellLostPorts(section, sections, problems);
  }
}

function tellLostPorts(
  section: VirtualDraft,
  sections: readonly VirtualDraft[],
  problems: ProblemList,
): void {
  const { name, port = 80, firewallMark } = section;
  const other = sections.find((candidate) => candidate !== section);
  for (const server of enabledServers(section)) {
    if (portOf(server) === port) continue;
    problems.warning(
      'shared-mark',
      server.places.get('port') ?? server.place,
      `\`server ${server.name}\`: \`${name}\` shares fwmark ${firewallMark} with \`${other?.name}\` on line ` +
        `${other?.place.line}, so its clients alone cannot be sent to port ${portOf(server)}; ` +
        `the server would have to listen at port ${port}, or \`${name}\` needs a fwmark of its own`,
    );
  }
}

function enabledServers({ servers }: VirtualDraft): readonly ServerDraft[] {
  return servers.filter(({ isEnabled, address }) => isEnabled === true && address !== undefined);
}

function portOf({ port, defaultPort }: ServerDraft): number {
  return port ?? defaultPort;
}
