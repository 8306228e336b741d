/**
 * What the doctor looks for on this machine and between the two directors, check by check: each a function of the facts
 * that gives its findings, or none where it has nothing to say (no partner, no nat, ...).
 *
 * A finding names the evidence it stands on and what to type. What needs packets stands in doctor-servers.ts.
 * Sources: kernel Documentation/networking/ip-sysctl.rst and ipvs-sysctl.rst; sched(7); LVS-HOWTO; docs/failover.md.
 */
import type { IpAddress } from '../base/index.ts';
import { longestLeaseMs } from '../core/index.ts';
import { floatingAddresses, type Settings } from '../model/index.ts';
import { type Facts, listedServers, placeOf } from './doctor-facts.ts';
import type { Cure, Finding } from './finding.ts';

export type Check = {
  readonly name: string;
  /** What it looks for. */
  readonly about: string;
  readonly look: (facts: Facts, settings: Settings) => readonly Said[];
};

/** A finding without the check's name. */
type Said = Omit<Finding, 'check'>;

const good = (text: string): readonly Said[] => [{ severity: 'good', text }];
const warning = (text: string, ...cures: readonly Cure[]): readonly Said[] => [
  { severity: 'warning', text, cures },
];
const broken = (text: string, ...cures: readonly Cure[]): readonly Said[] => [
  { severity: 'broken', text, cures },
];
const here = (command: string): Cure => ({ on: 'here', command });

const OTHER_MANAGERS: ReadonlySet<string> = new Set([
  ...['keepalived', 'vrrpd', 'ucarp', 'corosync', 'pacemakerd', 'heartbeat', 'ldirectord'],
]);

export const CHECKS: readonly Check[] = [
  { name: 'daemon-answers', about: 'the director of this machine runs and answers', look: daemon },
  { name: 'node-known', about: 'an address of this machine is in lvs.cf', look: node },
  {
    name: 'links-up',
    about: 'the interfaces of VIPs exist, are up and have a carrier',
    look: links,
  },
  {
    name: 'no-other-vip-manager',
    about: 'nothing else on this machine moves addresses',
    look: others,
  },
  {
    name: 'kernel-modules',
    about: 'the kernel has IPVS, and its table holds every virtual service',
    look: modules,
  },
  { name: 'lease-kept', about: 'the kernel ends the answering of a frozen director', look: lease },
  { name: 'lease-fits', about: 'keepalive, deadtime and lease fit each other', look: arithmetic },
  { name: 'real-time', about: 'heartbeats are sent in a real-time class, in time', look: realTime },
  { name: 'heartbeat-key', about: 'heartbeats are authenticated', look: key },
  { name: 'partner-heard', about: 'the partner is heard on every path', look: partner },
  { name: 'partner-same-config', about: 'the partner runs the same lvs.cf', look: sameConfig },
  { name: 'partner-channel', about: 'the partner can be asked from here', look: channel },
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
  { name: 'tunnel-mtu', about: 'tunnelled packets fit the way to the real servers', look: mtu },
];

function daemon({ status, silence }: Facts): readonly Said[] {
  if (status !== undefined) return good(`pid ${status.pid}, ${status.role} (${status.reason})`);
  return broken(silence ?? 'it does not answer', here('systemctl status piranha'));
}

function node({ node: own, configFile }: Facts, { primary, backup }: Settings): readonly Said[] {
  if (own !== undefined) return good(own);
  const named = [primary, ...(backup === undefined ? [] : [backup])].join(' and ');
  return broken(`no interface has an address of ${configFile}: ${named}`, here('ip -br addr'));
}

function links({ kernel }: Facts, settings: Settings): readonly Said[] {
  const devices = [...new Set(floatingAddresses(settings).map(({ device }) => device))];
  const said = devices.flatMap((device): readonly Said[] => {
    const link = kernel.links.find(({ name }) => name === device);
    if (link === undefined) return broken(`${device} does not exist`, here('ip -br link'));
    if (!link.isUp) return broken(`${device} is down`, here(`ip link set ${device} up`));
    if (!link.hasCarrier)
      return broken(`${device} has no carrier: cable, switch port`, here(`ethtool ${device}`));
    return [];
  });
  return said.length > 0 ? said : good(devices.join(', '));
}

function others({ processes }: Facts): readonly Said[] {
  const found = processes.filter(({ name }) => OTHER_MANAGERS.has(name));
  if (found.length === 0) return good('none');
  return found.flatMap(({ name, pid }) =>
    warning(
      `${name} runs here (pid ${pid}): two managers of one VIP take it from each other`,
      here(`systemctl disable --now ${name}`),
    ),
  );
}

function modules({ services, read }: Facts, settings: Settings): readonly Said[] {
  const { kind, why } = services?.dataPlane ?? {};
  if (settings.dataPlane === 'none') return good('dataplane = none');
  if (kind === 'nftables' && settings.dataPlane === 'nftables') return good(`nftables (${why})`);
  if (kind === 'nftables' || kind === 'none') {
    return warning(
      `virtual services by ${kind} (${why}): IPVS is not there`,
      here('modprobe ip_vs'),
      here('echo ip_vs > /etc/modules-load.d/ip_vs.conf'),
    );
  }
  const hasIpvs = read('/proc/net/ip_vs') !== undefined;
  if (kind === undefined && !hasIpvs) {
    return warning('the kernel has no IPVS loaded', here('modprobe ip_vs'));
  }
  const missing = (services?.services ?? []).filter(({ stands }) => !stands);
  if (missing.length > 0) {
    return missing.flatMap(({ name, scheduler }) =>
      broken(
        `virtual ${name} is not in the kernel's table: scheduler ${scheduler}, or another word of it, was refused`,
        here(`modprobe ip_vs_${scheduler}`),
        here('piranha events'),
      ),
    );
  }
  return good(kind === undefined ? 'ip_vs is loaded' : `${kind} (${why})`);
}

function lease({ status }: Facts, settings: Settings): readonly Said[] {
  if (settings.dialect === 'legacy') {
    return warning('dialect = legacy: a frozen director goes on answering for its VIPs');
  }
  if (!settings.backupActive || status === undefined) return [];
  const kept = status.pair?.lease;
  if (kept === undefined) {
    return warning(
      'this kernel keeps no lease: a frozen director would go on answering',
      here('modprobe nf_tables'),
    );
  }
  const again = kept.restored === 0 ? '' : `; built again ${kept.restored} times`;
  const text = `kernel gate ${kept.hooks}, ${kept.lengthMs} ms${again}`;
  return kept.restored > 0 ? warning(`${text}: something flushes nftables rules`) : good(text);
}

function arithmetic({ status }: Facts, settings: Settings): readonly Said[] {
  if (!settings.backupActive) return [];
  const { keepaliveMs, deadtimeMs } = settings;
  const longest = longestLeaseMs(settings);
  const length = settings.leaseMs ?? longest;
  const timers = `keepalive ${keepaliveMs} ms, deadtime ${deadtimeMs} ms, lease ${length} ms`;
  if (deadtimeMs <= keepaliveMs || length <= 0 || length > longest) {
    return broken(`${timers}: at most ${longest} ms of lease are safe`);
  }
  const worst = status?.counters.worstLateMs ?? 0;
  const room = length - Math.min(keepaliveMs, deadtimeMs / 6);
  if (worst > room / 2) {
    return warning(
      `${timers}; the daemon woke up to ${worst.toFixed(1)} ms late, more than half of the ${room.toFixed(0)} ms that a renewal may miss`,
    );
  }
  return good(`${timers}; worst lateness ${worst.toFixed(1)} ms`);
}

function realTime({ realTimeThreads }: Facts): readonly Said[] {
  if (realTimeThreads === undefined) return [];
  return realTimeThreads > 0
    ? good('a thread of the daemon is in a real-time class')
    : warning(
        'no thread of the daemon has a real-time class: load can delay heartbeats',
        here('systemctl edit piranha  # [Service] LimitRTPRIO=60'),
      );
}

function key({ keyFault }: Facts, { heartbeatKeyFile, backupActive }: Settings): readonly Said[] {
  if (!backupActive) return [];
  if (heartbeatKeyFile === undefined) {
    const path = '/etc/sysconfig/ha/heartbeat.key';
    return warning(
      'no heartbeat_key_file: anyone on the segment can steal the VIPs, and there is no channel to the partner',
      here(`(umask 077; openssl rand -hex 32 > ${path})  # the same file on both nodes`),
      here(`add to lvs.cf on both nodes: heartbeat_key_file = ${path}`),
    );
  }
  if (keyFault !== undefined) return broken(keyFault, here(`chmod 600 ${heartbeatKeyFile}`));
  return good(heartbeatKeyFile);
}

function partner({ status }: Facts, { backupActive }: Settings): readonly Said[] {
  if (!backupActive || status === undefined) return [];
  const { deadtimeMs } = status.timers;
  const said = status.partner.paths.flatMap((path): readonly Said[] => {
    const { name, heardMsAgo, link, own, partner: other } = path;
    if (link === 'down') return broken(`${name}: our own link is down`, here('ip -br link'));
    if (heardMsAgo === undefined || heardMsAgo > deadtimeMs) {
      const since = heardMsAgo === undefined ? 'never heard' : `silent for ${heardMsAgo} ms`;
      return warning(
        `${name}: ${since} (${own} <-> ${other}); cable, firewall, or the partner itself`,
        here(`tcpdump -ni any udp and host ${other}`),
      );
    }
    return [];
  });
  return said.length > 0 ? said : good(status.partner.paths.map(({ name }) => name).join(', '));
}

function sameConfig({ status }: Facts): readonly Said[] {
  const words = status?.pair?.partner;
  if (words?.hasSameConfiguration === undefined) return [];
  const serials = `serial_no ${status?.configuration.serialNo} here, ${words.serialNo} there`;
  return words.hasSameConfiguration
    ? good(serials)
    : warning(`the partner runs another lvs.cf (${serials})`, here('piranha diff --partner'));
}

function channel({ hasChannel }: Facts, { backupActive, heartbeatKeyFile }: Settings) {
  if (!backupActive || heartbeatKeyFile === undefined) return [];
  return hasChannel
    ? good('it answers')
    : warning(
        'the partner does not answer through the courier: nothing can be asked of it, nor changed on both nodes',
        here('journalctl -t pulse | grep -i courier  # the director starts it'),
      );
}

function forwarding({ read }: Facts, settings: Settings): readonly Said[] {
  if (settings.network !== 'nat') return [];
  return read('/proc/sys/net/ipv4/ip_forward') === '0'
    ? broken(
        'net.ipv4.ip_forward = 0: nat answers do not pass',
        here('sysctl -w net.ipv4.ip_forward=1'),
      )
    : good('net.ipv4.ip_forward = 1');
}

/** The larger of `all` and the interface's counts (ip-sysctl.rst). */
function filterOf(device: string, read: Facts['read']): number {
  const of = (name: string): number => Number(read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`));
  return Math.max(of('all') || 0, of(device) || 0);
}

function reversePath({ read, kernel, gateways }: Facts, settings: Settings): readonly Said[] {
  const devices = [...new Set(floatingAddresses(settings).map(({ device }) => device))];
  const ways = gateways.flatMap(
    ({ interfaceIndex }) => kernel.links.find(({ index }) => index === interfaceIndex)?.name ?? [],
  );
  const said = devices.flatMap((device): readonly Said[] => {
    const isElsewhere = ways.length > 0 && !ways.includes(device);
    if (!isElsewhere || filterOf(device, read) !== 1) return [];
    return broken(
      `rp_filter = 1 on ${device}, and the default route leaves by ${ways.join(', ')}: clients from elsewhere are dropped`,
      here(`sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${device}.rp_filter=2`),
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
          here(
            `sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.${device}.send_redirects=0`,
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

function conntrack({ read }: Facts): readonly Said[] {
  const count = Number(read('/proc/sys/net/netfilter/nf_conntrack_count') ?? Number.NaN);
  const limit = Number(read('/proc/sys/net/netfilter/nf_conntrack_max') ?? Number.NaN);
  if (Number.isNaN(count) || Number.isNaN(limit) || limit === 0) return [];
  const text = `${count} of ${limit} connections tracked`;
  return count > 0.8 * limit
    ? warning(
        `${text}: new ones are dropped when it is full`,
        here(`sysctl -w net.netfilter.nf_conntrack_max=${2 * limit}`),
      )
    : good(text);
}

/** Of Ethernet, and of the second IPv4 header that a tunnel adds. */
const FULL_PACKET = 1500;
const OUTER_HEADER = 20;

function mtu({ kernel }: Facts, settings: Settings): readonly Said[] {
  if (settings.network !== 'tunnel') return [];
  const floating = floatingSet(settings);
  const ways = new Map(
    listedServers(settings).flatMap(({ server }) => {
      const link = placeOf(server.address, kernel, floating)?.link;
      return link === undefined ? [] : [[link.name, link.mtu] as const];
    }),
  );
  const needed = FULL_PACKET + OUTER_HEADER;
  const said = [...ways].flatMap(([device, found = needed]): readonly Said[] => {
    if (found >= needed) return [];
    return warning(
      `mtu of ${device} is ${found}: a full packet of ${FULL_PACKET} bytes does not fit with the tunnel's ${OUTER_HEADER} bytes`,
      here(`ip link set ${device} mtu ${needed}  # switch and real servers, too`),
      { on: 'each real server', command: 'limit the MSS of its answers: ip route ... advmss 1440' },
    );
  });
  return said.length > 0
    ? said
    : good([...ways.keys()].join(', ') || 'real servers behind a router');
}

export function floatingSet(settings: Settings): ReadonlySet<IpAddress> {
  return new Set(floatingAddresses(settings).map(({ address }) => address));
}
