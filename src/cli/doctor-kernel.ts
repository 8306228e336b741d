/**
 * What the doctor looks for in this machine's kernel: forwarding, filtering, addresses and tables that LVS rests on, each a
 * function of the facts. What is not in this kernel, or not shown in this namespace, has no say.
 *
 * Sources: kernel Documentation/networking/ip-sysctl.rst, ipvs-sysctl.rst and nf_conntrack-sysctl.rst; net/ipv4/devinet.c
 * (secondary addresses); proc_net_tcp; LVS-HOWTO.
 */
import { type IpAddress, ipBytes, ipFamily } from '../base/index.ts';
import { floatingAddresses, type Settings } from '../model/index.ts';
import {
  type Check,
  type Facts,
  floatingSet,
  heartbeatAddresses,
  isWithin,
  listedServers,
  placeOf,
  vipDevices,
} from './doctor-facts.ts';
import { broken, good, here, type Said, sysctlsHere, warning } from './finding.ts';

export const KERNEL_CHECKS: readonly Check[] = [
  { name: 'ip-forward', about: 'nat needs a kernel that forwards', look: forwarding },
  {
    name: 'rp-filter',
    about: 'reverse path filtering does not drop the clients of a VIP',
    look: reversePath,
  },
  {
    name: 'send-redirects',
    about: 'one-armed nat: real servers are not told a way around the director',
    look: redirects,
  },
  { name: 'default-route', about: 'answers and questions have a way out', look: route },
  { name: 'conntrack-room', about: 'the connection tracking table has room', look: conntrack },
  { name: 'vip-elsewhere', about: 'a VIP is on its own interface only', look: elsewhere },
  { name: 'vip-answers-arp', about: 'this kernel may answer ARP for a VIP', look: answersArp },
  {
    name: 'address-secondary',
    about: 'no address of this machine goes when a VIP goes',
    look: secondary,
  },
  {
    name: 'address-permanent',
    about: 'the heartbeat addresses are there to stay',
    look: permanent,
  },
  {
    name: 'ipv6-addresses',
    about: 'IPv6 is on where it is used, and no address is double',
    look: ipv6,
  },
  { name: 'neighbour-room', about: 'the table of neighbours has room', look: neighbours },
  {
    name: 'persistence-quiesce',
    about: 'persistent clients leave a server that is quiesced',
    look: persistence,
  },
  {
    name: 'nonlocal-bind',
    about: 'no program listens at a VIP that it would miss on a standby',
    look: nonlocal,
  },
];

function forwarding({ read }: Facts, settings: Settings): readonly Said[] {
  if (settings.network !== 'nat') return [];
  const families = new Set(listedServers(settings).map(({ server }) => ipFamily(server.address)));
  const said = [...families].flatMap((family): readonly Said[] => {
    const path = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
    if (read(`/proc/sys/${path}`) !== '0') return [];
    const text = `${path.replaceAll('/', '.')} = 0: nat answers do not pass`;
    return broken(text, sysctlsHere({ path, value: 1 }));
  });
  return said.length > 0 ? said : good('on');
}

/** The larger of `all` and the interface's counts (ip-sysctl.rst). */
function filterOf(device: string, read: Facts['read']): number {
  const of = (name: string): number => Number(read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`));
  return Math.max(of('all') || 0, of(device) || 0);
}

function reversePath({ read, kernel, gateways }: Facts, settings: Settings): readonly Said[] {
  const devices = vipDevices(settings);
  const ways = gateways.flatMap(
    ({ interfaceIndex }) => kernel.links.find(({ index }) => index === interfaceIndex)?.name ?? [],
  );
  const said = devices.flatMap((device): readonly Said[] => {
    const isElsewhere = ways.length > 0 && !ways.includes(device);
    if (!isElsewhere || filterOf(device, read) !== 1) return [];
    return broken(
      `rp_filter = 1 on ${device}, and the default route leaves by ${ways.join(', ')}: clients from elsewhere are dropped`,
      sysctlsHere(
        { path: 'net/ipv4/conf/all/rp_filter', value: 0 },
        { path: `net/ipv4/conf/${device}/rp_filter`, value: 2 },
      ),
    );
  });
  if (said.length > 0) return said;
  return good(devices.map((device) => `${device} ${filterOf(device, read)}`).join(', '));
}

function redirects({ read, kernel }: Facts, settings: Settings): readonly Said[] {
  if (settings.network !== 'nat') return [];
  const floating = floatingSet(settings);
  const oneArmed = new Set(
    listedServers(settings).flatMap(({ service, server }) => {
      const place = placeOf(server.address, kernel, floating);
      return place?.link.name === service.vip.device ? [service.vip.device] : [];
    }),
  );
  const on = (name: string): boolean =>
    read(`/proc/sys/net/ipv4/conf/${name}/send_redirects`) === '1';
  const said = [...oneArmed].flatMap((device): readonly Said[] =>
    on('all') || on(device)
      ? warning(
          `VIP and real servers share ${device}: redirects teach them to go past the director`,
          sysctlsHere(
            { path: 'net/ipv4/conf/all/send_redirects', value: 0 },
            { path: `net/ipv4/conf/${device}/send_redirects`, value: 0 },
          ),
        )
      : [],
  );
  return said.length > 0 ? said : good(oneArmed.size === 0 ? 'two arms' : 'off');
}

function route({ gateways }: Facts): readonly Said[] {
  return gateways.length > 0
    ? good(gateways.map(({ address }) => address).join(', '))
    : warning(
        'no default route: clients of other networks get no answer from here, and there is no gateway to ask whether it believes us',
        here('ip route'),
      );
}

function conntrack({ read, services }: Facts, settings: Settings): readonly Said[] {
  const count = Number(read('/proc/sys/net/netfilter/nf_conntrack_count') ?? Number.NaN);
  const limit = Number(read('/proc/sys/net/netfilter/nf_conntrack_max') ?? Number.NaN);
  if (Number.isNaN(count) || Number.isNaN(limit)) {
    const needsIt = settings.network === 'nat' && services?.dataPlane?.kind === 'nftables';
    return needsIt
      ? broken(
          'nat by nftables tracks connections, and nothing tracks',
          here('modprobe nf_conntrack'),
        )
      : [];
  }
  if (limit === 0) return [];
  const text = `${count} of ${limit} connections tracked`;
  const more = sysctlsHere({ path: 'net/netfilter/nf_conntrack_max', value: 2 * limit });
  return count > 0.8 * limit
    ? warning(`${text}: new ones are dropped when it is full`, more)
    : good(text);
}

/** A VIP that stays on lo, say since this machine was a real server, answers whatever the role is. */
function elsewhere({ kernel }: Facts, settings: Settings): readonly Said[] {
  const said = floatingAddresses(settings).flatMap(({ address, device }): readonly Said[] =>
    kernel.rows.flatMap(({ address: other, interfaceIndex, prefixLength }) => {
      const name = kernel.links.find(({ index }) => index === interfaceIndex)?.name;
      if (other !== address || name === undefined || name === device) return [];
      return broken(
        `VIP ${address} is on ${name} of this machine, where no role puts it or takes it away`,
        here(`ip addr del ${address}/${prefixLength} dev ${name}`),
      );
    }),
  );
  return said.length > 0 ? said : good('none astray');
}

const IFF_NOARP = 0x80;

function answersArp({ read }: Facts, settings: Settings): readonly Said[] {
  const devices = floatingAddresses(settings).flatMap(({ address, device }) =>
    ipFamily(address) === 4 ? [device] : [],
  );
  const said = [...new Set(devices)].flatMap((device): readonly Said[] => {
    if ((Number(read(`/sys/class/net/${device}/flags`) ?? 0) & IFF_NOARP) !== 0)
      return broken(`ARP is off on ${device}`, here(`ip link set ${device} arp on`));
    const path = (name: string) => `net/ipv4/conf/${name}/arp_ignore`;
    const silent = ['all', device].filter((name) => Number(read(`/proc/sys/${path(name)}`)) === 8);
    if (silent.length === 0) return [];
    return broken(
      `arp_ignore = 8 on ${device}: this kernel answers ARP for no address`,
      sysctlsHere(...silent.map((name) => ({ path: path(name), value: 0 }))),
    );
  });
  return said.length > 0 ? said : good([...new Set(devices)].join(', '));
}

const IFA_F_SECONDARY = 0x01;
const IFA_F_DADFAILED = 0x08;

/** The kernel removes the secondary addresses of a network with their primary one, unless it may promote one of them. */
function secondary({ addresses, kernel, read }: Facts, settings: Settings): readonly Said[] {
  const floating = floatingSet(settings);
  const said = addresses.flatMap((row): readonly Said[] => {
    if (ipFamily(row.address) === 6 || (row.flags & IFA_F_SECONDARY) === 0) return [];
    if (floating.has(row.address)) return [];
    const first = addresses.find(
      ({ address, interfaceIndex, prefixLength, flags }) =>
        interfaceIndex === row.interfaceIndex &&
        prefixLength === row.prefixLength &&
        (flags & IFA_F_SECONDARY) === 0 &&
        isWithin(address, row.address, row.prefixLength),
    );
    const device = kernel.links.find(({ index }) => index === row.interfaceIndex)?.name ?? '';
    const mayPromote = ['all', device].some(
      (name) => Number(read(`/proc/sys/net/ipv4/conf/${name}/promote_secondaries`) ?? 0) !== 0,
    );
    if (first === undefined || !floating.has(first.address) || mayPromote) return [];
    return broken(
      `${row.address} on ${device} goes when VIP ${first.address} goes: the VIP came first, and this is secondary to it`,
      sysctlsHere({ path: 'net/ipv4/conf/all/promote_secondaries', value: 1 }),
    );
  });
  return said.length > 0 ? said : good('none');
}

function permanent({ addresses, node }: Facts, settings: Settings): readonly Said[] {
  if (node === undefined) return [];
  const own = heartbeatAddresses(settings, node);
  const said = addresses.flatMap(({ address, lifetime }): readonly Said[] =>
    own.includes(address) && lifetime !== undefined
      ? warning(
          `${address} ends in ${lifetime.validSeconds} s unless somebody (DHCP, an advertisement) renews it: heartbeats end with it`,
          here('configure it as a static address'),
        )
      : [],
  );
  return said.length > 0 ? said : good(own.join(', '));
}

function ipv6({ addresses, kernel, read }: Facts, settings: Settings): readonly Said[] {
  const six = floatingAddresses(settings).filter(({ address }) => ipFamily(address) === 6);
  const off = [...new Set(six.map(({ device }) => device))].flatMap((device): readonly Said[] => {
    const names = ['all', device].map((name) => `net/ipv6/conf/${name}/disable_ipv6`);
    const values = names.map((path) => read(`/proc/sys/${path}`));
    if (values.every((value) => value === '0')) return [];
    const text = `IPv6 is off on ${device}: it takes no IPv6 VIP`;
    if (values.some((value) => value === undefined)) return broken(text);
    return broken(text, sysctlsHere(...names.map((path) => ({ path, value: 0 }))));
  });
  const twice = addresses.flatMap(({ address, flags, interfaceIndex }): readonly Said[] => {
    if (ipFamily(address) === 4 || (flags & IFA_F_DADFAILED) === 0) return [];
    const device = kernel.links.find(({ index }) => index === interfaceIndex)?.name ?? '';
    return broken(
      `the kernel does not use ${address} on ${device}: somebody on the segment has it, too (dadfailed)`,
      here(`ip -6 neigh flush dev ${device}; ndisc6 ${address} ${device}  # who answers?`),
    );
  });
  if (off.length + twice.length > 0) return [...off, ...twice];
  return six.length === 0 && !addresses.some(({ address }) => ipFamily(address) === 6)
    ? []
    : good('no duplicate was found');
}

/** The kernel's table of neighbours is one for all IPv4 interfaces; beyond gc_thresh3 nobody new can be sent to. */
function neighbours({ read }: Facts, settings: Settings): readonly Said[] {
  const path = 'net/ipv4/neigh/default/gc_thresh3';
  const limit = Number(read(`/proc/sys/${path}`) ?? Number.NaN);
  if (Number.isNaN(limit)) return []; // told in the first namespace only
  const known = Number.parseInt(words(read('/proc/net/stat/arp_cache'), 1)[0] ?? '', 16) || 0;
  const servers = new Set(listedServers(settings).map(({ server }) => server.address)).size;
  const text = `${known} neighbours known, ${servers} real servers, room for ${limit}`;
  if (Math.max(known, servers) <= 0.8 * limit) return good(text);
  return warning(
    `${text}: a machine beyond that cannot be sent to`,
    sysctlsHere(
      { path: 'net/ipv4/neigh/default/gc_thresh1', value: 2 * limit },
      { path: 'net/ipv4/neigh/default/gc_thresh2', value: 3 * limit },
      { path, value: 4 * limit },
    ),
  );
}

/** The words of one line of a file, counted from 0. */
export function words(text: string | undefined, line: number): readonly string[] {
  return text?.split('\n')[line]?.trim().split(/\s+/) ?? [];
}

/** ipvs-sysctl.rst expire_quiescent_template: with 0 a client that stuck to a server with weight 0 goes on sticking. */
function persistence({ read }: Facts, settings: Settings): readonly Said[] {
  const path = 'net/ipv4/vs/expire_quiescent_template';
  const value = read(`/proc/sys/${path}`);
  const sticky = settings.virtualServices.filter(
    ({ isEnabled, persistentSeconds, quiesceServer }) =>
      isEnabled && persistentSeconds > 0 && quiesceServer,
  );
  if (value === undefined || sticky.length === 0) return [];
  if (value !== '0') return good(sticky.map(({ name }) => name).join(', '));
  const names = sticky.map(({ name }) => name).join(', ');
  return warning(
    `${names}: persistent clients stay with a server that is quiesced because it is down`,
    sysctlsHere({ path, value: 1 }),
  );
}

const LISTENING = '0A';

/** On a standby the VIP is not there, and a program that asks for it by name does not start. */
function nonlocal({ read }: Facts, settings: Settings): readonly Said[] {
  const said = floatingAddresses(settings).flatMap(({ address }): readonly Said[] => {
    const [file, path] =
      ipFamily(address) === 4
        ? ['/proc/net/tcp', 'net/ipv4/ip_nonlocal_bind']
        : ['/proc/net/tcp6', 'net/ipv6/ip_nonlocal_bind'];
    if (read(`/proc/sys/${path}`) !== '0') return [];
    const ports = (read(file)?.split('\n') ?? []).flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [where, port = ''] = local.split(':');
      return state === LISTENING && where === kernelHex(address) ? [Number.parseInt(port, 16)] : [];
    });
    if (ports.length === 0) return [];
    return warning(
      `a program listens at VIP ${address} itself (port ${ports.join(', ')}): it cannot be started on a standby, which has no such address`,
      sysctlsHere({ path, value: 1 }),
    );
  });
  return said.length > 0 ? said : good('no program needs a VIP to start');
}

/** As /proc/net/tcp writes an address on the little-endian machines that this runs on: 32 bits at a time. */
function kernelHex(address: IpAddress): string {
  const bytes = ipBytes(address);
  const at = (index: number): string =>
    (bytes[(index & ~3) + (3 - (index & 3))] ?? 0).toString(16).padStart(2, '0');
  return Array.from(bytes, (_, index) => at(index))
    .join('')
    .toUpperCase();
}
