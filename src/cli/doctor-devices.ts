/**
 * What the doctor looks for at the devices of this machine: who else configures them, what they lose, what they merge, and
 * whether the network behind them lets an address move at all. Each a function of the facts.
 *
 * Counters are since boot, so a few lost packets long ago are no finding: a share is.
 * Sources: kernel Documentation/networking/bonding.rst, statistics.rst, segmentation-offloads.rst; systemd.network(5);
 * NetworkManager(8); net/core/net-procfs.c (softnet_stat).
 */
import type { Settings } from '../model/index.ts';
import { type Check, type Facts, floatingSet, usedDevices, vipDevices } from './doctor-facts.ts';
import { good, here, type Said, sysctlsHere, warning } from './finding.ts';

export const DEVICE_CHECKS: readonly Check[] = [
  {
    name: 'device-manager',
    about: 'nothing takes foreign addresses off the devices',
    look: managers,
  },
  { name: 'device-drops', about: 'the network cards lose next to nothing', look: drops },
  { name: 'softnet-drops', about: 'the kernel keeps up with what the cards bring', look: softnet },
  {
    name: 'large-receive',
    about: 'no card merges packets that are to be passed on',
    look: merging,
  },
  { name: 'bond-watched', about: 'bonds notice a dead cable and keep to one address', look: bonds },
  { name: 'cloud-network', about: 'the network lets an address move by ARP', look: cloud },
];

/** More than this share is lost: one in ten thousand. */
const TOLERABLE = 1e-4;
/** And more than so many, for a machine that has just started. */
const FEW = 100;

function managers(facts: Facts, settings: Settings): readonly Said[] {
  const { processes, kernel, read } = facts;
  const runs = (name: string): boolean => processes.some((process) => process.name === name);
  const devices = vipDevices(settings);
  const links = kernel.links.filter(({ name }) => devices.includes(name));
  const said = links.flatMap(({ name, index }): readonly Said[] => [
    ...(runs('systemd-network') ? networkd(name, index, facts) : []),
    ...(runs('NetworkManager') ? networkManager(name, index, read) : []),
  ]);
  return said.length > 0 ? said : good(devices.join(', '));
}

/** Where drop-ins of a .network file lie; of two with one name the first directory's holds (systemd.network(5)). */
const UNITS = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map(
  (path) => `${path}/systemd/network`,
);

/** Its state file names the .network file; the last word in that and in its drop-ins holds. */
function networkd(device: string, index: number, { read, list }: Facts): readonly Said[] {
  const state = read(`/run/systemd/netif/links/${index}`) ?? '';
  const of = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(state)?.[1] ?? '';
  const file = of('NETWORK_FILE').replaceAll('"', '');
  if (file === '' || of('ADMIN_STATE') === 'unmanaged') return [];
  const folder = `${file.split('/').at(-1)}.d`;
  const dropIns = new Map<string, string>();
  for (const unit of UNITS.toReversed()) {
    for (const name of list(`${unit}/${folder}`)) dropIns.set(name, `${unit}/${folder}/${name}`);
  }
  const paths = [file, ...[...dropIns].sort().map(([, path]) => path)];
  const values = paths.flatMap((path) =>
    Array.from(
      (read(path) ?? '').matchAll(/^\s*KeepConfiguration\s*=\s*(\S+)/gm),
      ([, value]) => value,
    ),
  );
  if (/^(static|yes|true|on|1)$/.test(values.at(-1) ?? '')) return [];
  const own = `/etc/systemd/network/${folder}`;
  return warning(
    `systemd-networkd manages ${device}: told to reload or reconfigure, it removes addresses that are not in ${file}, the VIPs among them (the director puts them back)`,
    here(
      `mkdir -p ${own} && printf '[Network]\\nKeepConfiguration=static\\n' > ${own}/keep.conf && networkctl reload`,
    ),
  );
}

function networkManager(device: string, index: number, read: Facts['read']): readonly Said[] {
  if (!/^managed=true$/m.test(read(`/run/NetworkManager/devices/${index}`) ?? '')) return [];
  return warning(
    `NetworkManager manages ${device}: when it activates a connection there it removes addresses that are not in it, the VIPs among them (the director puts them back)`,
    here(`nmcli device set ${device} managed no  # after its own address is configured otherwise`),
  );
}

function drops(facts: Facts, settings: Settings): readonly Said[] {
  const devices = usedDevices(facts, settings);
  const said = devices.flatMap((device): readonly Said[] => {
    const count = (name: string): number =>
      Number(facts.read(`/sys/class/net/${device}/statistics/${name}`) ?? 0);
    const received = count('rx_packets');
    const rings = count('rx_missed_errors') + count('rx_fifo_errors');
    const noise = count('rx_crc_errors') + count('rx_frame_errors');
    return [
      ...(isMuch(rings, received)
        ? warning(
            `${device} lost ${rings} of ${received} packets because its ring was full`,
            here(`ethtool -g ${device}; ethtool -G ${device} rx 4096  # as far as the card goes`),
          )
        : []),
      ...(isMuch(noise, received)
        ? warning(
            `${device} received ${noise} of ${received} frames damaged: cable, transceiver, duplex`,
            here(`ethtool ${device}; ethtool -S ${device}`),
          )
        : []),
    ];
  });
  return said.length > 0 ? said : good(devices.join(', '));
}

function isMuch(lost: number, received: number): boolean {
  return lost > FEW && lost > TOLERABLE * received;
}

/** A line for each processor, hexadecimal: packets, of which the backlog dropped, ... */
function softnet({ read }: Facts): readonly Said[] {
  const text = read('/proc/net/softnet_stat');
  if (text === undefined) return [];
  const column = (index: number): number =>
    text
      .split('\n')
      .reduce((sum, line) => sum + (Number.parseInt(line.split(/\s+/)[index] ?? '', 16) || 0), 0);
  const [taken, dropped] = [column(0), column(1)];
  if (!isMuch(dropped, taken)) return good(`${dropped} of ${taken} dropped`);
  const path = 'net/core/netdev_max_backlog';
  const backlog = Number(read(`/proc/sys/${path}`) ?? 1000);
  return warning(
    `the kernel dropped ${dropped} of ${taken} packets before looking at them: no processor was quick enough`,
    sysctlsHere({ path, value: 4 * backlog }),
  );
}

/** Merged by the card they are longer than the way out bears; generic receive offload (GRO) does no harm. */
function merging(facts: Facts, settings: Settings): readonly Said[] {
  const known = usedDevices(facts, settings).flatMap((device) => {
    const features = facts.features(device);
    return features === undefined ? [] : [{ device, features }];
  });
  if (known.length === 0) return [];
  const said = known.flatMap(({ device, features }): readonly Said[] =>
    /^large-receive-offload: on/m.test(features)
      ? warning(
          `${device} merges what it receives (LRO): packets that are passed on must not be, and get lost or slow`,
          here(`ethtool -K ${device} lro off`),
        )
      : [],
  );
  return said.length > 0 ? said : good(known.map(({ device }) => device).join(', '));
}

function bonds(facts: Facts, settings: Settings): readonly Said[] {
  const { read } = facts;
  const floating = floatingSet(settings);
  const carriers = new Set(vipDevices(settings));
  const all = usedDevices(facts, settings).flatMap((device) => {
    const mode = read(`/sys/class/net/${device}/bonding/mode`);
    return mode === undefined ? [] : [{ device, mode }];
  });
  if (all.length === 0) return [];
  const said = all.flatMap(({ device, mode }): readonly Said[] => {
    const of = (name: string): string => read(`/sys/class/net/${device}/bonding/${name}`) ?? '';
    const slaves = of('slaves')
      .split(' ')
      .filter((name) => name !== '');
    const down = slaves.filter(
      (name) => read(`/sys/class/net/${name}/bonding_slave/mii_status`) === 'down',
    );
    const targets = of('arp_ip_target').split(/[ ,]/);
    const vip = [...floating].find((address) => targets.includes(address));
    const watchesNothing = of('miimon') === '0' && of('arp_interval') === '0';
    return [
      ...(watchesNothing
        ? warning(
            `${device} watches neither carrier nor ARP: it goes on sending into a dead cable`,
            here(`ip link set ${device} type bond miimon 100`),
          )
        : []),
      ...(vip !== undefined
        ? warning(
            `${device} judges its cables by asking for VIP ${vip}, which this machine has when it is active`,
            here(`ip link set ${device} type bond arp_ip_target GATEWAY`),
          )
        : []),
      ...(mode.startsWith('balance-alb') && carriers.has(device)
        ? warning(
            `${device} is a bond of mode balance-alb, which answers ARP with now one card's address, now another's: announcements of a VIP are undone by it`,
            here('use mode active-backup or 802.3ad'),
          )
        : []),
      ...(down.length > 0
        ? warning(
            `${device}: ${down.join(', ')} of ${slaves.join(', ')} has no carrier`,
            here(`cat /proc/net/bonding/${device}`),
          )
        : []),
    ];
  });
  return said.length > 0
    ? said
    : good(all.map(({ device, mode }) => `${device} ${mode}`).join(', '));
}

/** A file below /sys/class/dmi/id, what begins with which is whose, and what is to be done there. */
const CLOUDS: readonly {
  readonly file: string;
  readonly begins: string;
  readonly cloud: string;
  readonly cure: string;
}[] = [
  {
    file: 'sys_vendor',
    begins: 'Amazon EC2',
    cloud: 'Amazon EC2',
    cure: 'active_cmd of lvs.cf: aws ec2 assign-private-ip-addresses --allow-reassignment ...',
  },
  {
    file: 'product_name',
    begins: 'Google Compute Engine',
    cloud: 'Google Compute Engine',
    cure: 'active_cmd of lvs.cf: gcloud compute instances network-interfaces update --aliases ...',
  },
  {
    // Of Azure alone: Hyper-V elsewhere has another vendor's tag, and its network carries ARP.
    file: 'chassis_asset_tag',
    begins: '7783-7084-3265-9085-8269-3286-77',
    cloud: 'Azure',
    cure: 'active_cmd of lvs.cf: az network nic ip-config ..., or a load balancer of theirs in front',
  },
  {
    file: 'product_name',
    begins: 'OpenStack',
    cloud: 'OpenStack',
    cure: 'openstack port set --allowed-address ip-address=VIP PORT  # on the ports of both nodes',
  },
];

/** Once the gateway has been seen to follow, nothing need be feared; a standby cannot tell. */
function cloud({ read, status }: Facts, { backupActive }: Settings): readonly Said[] {
  if (!backupActive || status?.role !== 'active') return [];
  if (status.vips.length > 0 && status.vips.every(({ belief }) => belief?.owner === 'us'))
    return good('an address has moved by ARP here');
  const found = CLOUDS.find(({ file, begins }) =>
    read(`/sys/class/dmi/id/${file}`)?.startsWith(begins),
  );
  if (found === undefined) return good('none is known here that filters ARP');
  return warning(
    `this machine runs in ${found.cloud}, whose network delivers an address to the port it was given to: unless it was told, it drops what a VIP sends and ignores gratuitous ARP`,
    here(found.cure),
  );
}
