/**
 * Where other machines are: their link-layer addresses, from the kernel's neighbour entries, and our own side of the way.
 *
 * Every check of a server by its address renews its entry; one that has none yet is asked with one datagram. Who fell
 * silent keeps its last place.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { type IpAddress, ipBytes, ipFamily, ok, type Result } from '../base/index.ts';
import type { AddressRow, Link, PortError } from '../model/index.ts';
import { decodeRtnl, encodeNeighbourDump, type ServerPlace } from '../wire/index.ts';
import { openAddressPort } from './addresses.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import type { AddressPort, NetlinkSocket } from './types.ts';

const DISCARD_PORT = 9;
const ANSWER_MS = 200;
const LOOPBACK = 'lo';

export function openWhereabouts(): Result<Whereabouts, PortError> {
  const addresses = openAddressPort();
  if (!addresses.ok) return addresses;
  const netlink = openNetlinkSocket({ family: 'route' });
  if (netlink.ok) return ok(new Whereabouts(addresses.value, netlink.value));
  addresses.value.close();
  return netlink;
}

export class Whereabouts {
  readonly #addresses: AddressPort;
  readonly #netlink: NetlinkSocket;
  readonly places = new Map<IpAddress, ServerPlace>();
  #links: readonly Link[] = [];
  #rows: readonly AddressRow[] = [];

  constructor(addresses: AddressPort, netlink: NetlinkSocket) {
    this.#addresses = addresses;
    this.#netlink = netlink;
  }

  /** Devices that are up and have an address, loopback left out. */
  get devices(): readonly string[] {
    return this.#links.map(({ name }) => name).sort();
  }

  /** Index of a device; undefined: it is gone. */
  indexOf(device: string): number | undefined {
    return this.#links.find(({ name }) => name === device)?.index;
  }

  /** Our address in the network of `other` on this device, the first but for `not`. */
  ownAddress(device: string, other: IpAddress, not: IpAddress): IpAddress | undefined {
    const index = this.indexOf(device);
    return this.#rows.find(
      (row) => row.interfaceIndex === index && row.address !== not && isInNetwork(other, row),
    )?.address;
  }

  look(): void {
    const observed = this.#addresses.observe();
    const answers = this.#netlink.request([encodeNeighbourDump()]);
    if (!observed.ok || !answers.ok) return;
    const { links, rows } = observed.value;
    const used = new Set(rows.map(({ interfaceIndex }) => interfaceIndex));
    this.#rows = rows;
    this.#links = links.filter(
      ({ index, name, mac, isUp }) =>
        used.has(index) && isUp && mac !== undefined && name !== LOOPBACK,
    );
    for (const bytes of answers.value.flatMap(({ messages }) => messages)) {
      const notice = decodeRtnl(bytes);
      if (!notice.ok || notice.value.kind !== 'neighbour') continue;
      const { address, mac, interfaceIndex } = notice.value.neighbour;
      const link = this.#links.find(({ index }) => index === interfaceIndex);
      if (mac === undefined || link?.mac === undefined) continue;
      this.places.set(address, { mac, device: link.name, ownMac: link.mac });
    }
  }

  /** True when it is known where this machine is; asks it when it is not. */
  async find(address: IpAddress): Promise<boolean> {
    if (this.places.has(address)) return true;
    const socket = createSocket(ipFamily(address) === 4 ? 'udp4' : 'udp6');
    await new Promise<void>((resolve) => {
      socket.once('error', () => resolve());
      socket.send('', DISCARD_PORT, address, () => resolve());
    });
    await sleep(ANSWER_MS);
    socket.close();
    this.look();
    return this.places.has(address);
  }

  close(): void {
    this.#addresses.close();
    this.#netlink.close();
  }
}

function isInNetwork(address: IpAddress, { address: own, prefixLength }: AddressRow): boolean {
  if (ipFamily(address) !== ipFamily(own)) return false;
  const [bytes, ownBytes] = [ipBytes(address), ipBytes(own)];
  return bytes.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixLength - index * 8));
    const mask = (0xff00 >> bits) & 0xff;
    return ((byte ^ (ownBytes[index] ?? 0)) & mask) === 0;
  });
}
