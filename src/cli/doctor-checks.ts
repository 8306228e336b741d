/**
 * What the doctor looks for on this machine and between the two directors, check by check: each a function of the facts
 * that gives its findings, or none where it has nothing to say (no partner, no nat, ...).
 *
 * Here the director and its partner; the kernel's settings stand in doctor-kernel.ts, devices in doctor-devices.ts, and
 * what needs packets in doctor-segment.ts. A finding names the evidence it stands on and what to type.
 * Sources: sched(7); LVS-HOWTO; docs/failover.md.
 */
import type { Milliseconds } from '../base/index.ts';
import { longestLeaseMs } from '../core/index.ts';
import type { Settings } from '../model/index.ts';
import { DEVICE_CHECKS } from './doctor-devices.ts';
import { type Check, type Facts, vipDevices } from './doctor-facts.ts';
import { KERNEL_CHECKS } from './doctor-kernel.ts';
import { broken, good, here, type Said, warning } from './finding.ts';

/** By the name of the process, which the kernel cuts to 15 characters. */
const OTHER_MANAGERS: ReadonlySet<string> = new Set([
  ...['keepalived', 'vrrpd', 'uvrrpd', 'ucarp', 'wackamole', 'vip-manager', 'kube-vip'],
  ...['corosync', 'pacemakerd', 'heartbeat', 'ldirectord', 'seesaw_engine', 'seesaw_ha'],
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
  { name: 'partner-hears', about: 'the partner hears this machine on every path', look: hears },
  { name: 'clock-offset', about: 'the clocks of the two nodes agree', look: clocks },
  {
    name: 'gateway-believes',
    about: 'what was asked sends to the VIPs of this director',
    look: believes,
  },
  ...KERNEL_CHECKS,
  ...DEVICE_CHECKS,
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
  const devices = vipDevices(settings);
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
  if (settings.service === 'fos') return good('service = fos needs none');
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

/** Through the channel, which is TCP: a firewall may pass that and drop heartbeats. */
function hears({ partner: theirs }: Facts): readonly Said[] {
  if (theirs === undefined) return [];
  const deaf = theirs.partner.paths.filter(
    ({ heardMsAgo }) => heardMsAgo === undefined || heardMsAgo > theirs.timers.deadtimeMs,
  );
  if (deaf.length === 0) return good(theirs.partner.paths.map(({ name }) => name).join(', '));
  return deaf.flatMap(({ name, own, partner: us, heardMsAgo }) =>
    broken(
      `${name}: the partner has ${heardMsAgo === undefined ? 'never heard us' : `not heard us for ${heardMsAgo} ms`} (${us} -> ${own}): lost one way, by a firewall, VLAN or switch port`,
      { on: 'the partner', command: `tcpdump -ni any udp and host ${us}  # do they arrive?` },
      { on: 'the partner', command: 'nft list ruleset  # if they do: what drops them' },
    ),
  );
}

/** Above it the two stories of one incident cannot be laid side by side; nothing of the failover rests on it. */
const WORST_OFFSET_MS: Milliseconds = 1000;

function clocks({ clock }: Facts): readonly Said[] {
  if (clock === undefined) return [];
  const { aheadMs, uncertainMs } = clock;
  const size = `${Math.abs(Math.round(aheadMs))} ms`;
  const text = `the partner's clock is ${size} ${aheadMs < 0 ? 'behind' : 'ahead'}, give or take ${Math.ceil(uncertainMs)} ms`;
  return Math.abs(aheadMs) - uncertainMs > WORST_OFFSET_MS
    ? warning(
        `${text}: events of the two cannot be put in order`,
        here('timedatectl set-ntp true  # on both nodes; chronyc tracking tells how it goes'),
      )
    : good(text);
}

/** So long a takeover may be under way. */
const SETTLED_MS: Milliseconds = 10_000;

function believes({ status }: Facts): readonly Said[] {
  if (status?.role !== 'active') return [];
  const { vips, sinceMs, pair } = status;
  const elsewhere = vips.filter(({ belief }) =>
    ['partner', 'stranger'].includes(belief?.owner ?? ''),
  );
  if (elsewhere.length > 0) {
    return elsewhere.flatMap(({ address, belief }) =>
      broken(
        `VIP ${address} was claimed by ${belief?.owner === 'partner' ? 'the partner' : 'a stranger'} while this director is active`,
        here('piranha events'),
      ),
    );
  }
  const unproved = vips.filter(({ belief }) => belief?.owner === 'unknown');
  if (unproved.length > 0 && sinceMs > SETTLED_MS && pair?.witness.isAsked === true) {
    const names = unproved.map(({ address }) => address).join(', ');
    return warning(
      `nobody has proved to send to this director for ${names}: a static ARP entry, a network that drops gratuitous ARP, or a witness that does not answer`,
      {
        on: 'the gateway',
        command: `ip neigh show to ${unproved[0]?.address}  # PERMANENT is static`,
      },
    );
  }
  const proved = vips.filter(({ belief }) => belief?.owner === 'us').length;
  return good(`${proved} of ${vips.length} VIPs proved`);
}
