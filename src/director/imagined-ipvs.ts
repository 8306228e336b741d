/**
 * An imagined kernel with IPVS, at the level of bytes: it takes the very messages that would go into a netlink socket,
 * keeps a table by the kernel's rules, and writes down what each message asked for as the ipvsadm line that means it.
 *
 * It reads the messages by its own numbers and with a DataView, not with the codec under test, so that a wrong constant there is
 * seen here. Its answers to dumps are made of the writes it took, which the kernel's answers equal in form.
 * Source: linux/ip_vs.h, net/netfilter/ipvs/ip_vs_ctl.c (errnos), ipvsadm(8).
 */
import { ip, ipFromBytes, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import type { NetlinkAnswer, NetlinkSocket } from '../ports/index.ts';

const DONE: NetlinkAnswer = { messages: [], errno: 0 };
const [ENOENT, ESRCH, EEXIST] = [2, 3, 17];
const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh'];

type Attributes = ReadonlyMap<number, Uint8Array>;
type Service = {
  bytes: Uint8Array;
  readonly name: string;
  readonly destinations: Map<string, Uint8Array>;
};

export class ImaginedIpvs implements NetlinkSocket {
  readonly fd = -1;
  /** ipvsadm lines of every write that was accepted, in order. */
  readonly lines: string[] = [];
  /** Requests of any kind, refused ones included. */
  writes = 0;
  readonly #services = new Map<string, Service>();

  request(messages: readonly Uint8Array[]): Result<readonly NetlinkAnswer[], PortError> {
    return ok(messages.map((bytes) => this.#answer(bytes)));
  }

  receive() {
    return { messages: [], overrun: false };
  }

  close(): void {}

  /** `ipvsadm -C` by somebody else. */
  clear(): void {
    this.#services.clear();
  }

  /** Somebody else's service. */
  add(line: string): void {
    const [, kind = '-t', place = ''] = line.split(' ');
    const colon = place.lastIndexOf(':');
    const parts = place.slice(0, colon).split('.').map(Number);
    const key = [6, 0, 1, 0, 2, 0, 0, 0, 6, 0, 2, 0, kind === '-t' ? 6 : 17, 0, 0, 0];
    const port = Number(place.slice(colon + 1));
    const address = [20, 0, 3, 0, ...parts, ...new Array<number>(12).fill(0)];
    const more = [6, 0, 4, 0, port >> 8, port & 0xff, 0, 0, 7, 0, 6, 0, 114, 114, 0, 0];
    const rest = [12, 0, 7, 0, 0, 0, 0, 0, 255, 255, 255, 255, 8, 0, 8, 0, 0, 0, 0, 0];
    const mask = [8, 0, 9, 0, 255, 255, 255, 255];
    const nest = [...key, ...address, ...more, ...rest, ...mask];
    const payload = [1, 1, 0, 0, nest.length + 4, 0, 1, 128, ...nest];
    const bytes = Uint8Array.from([
      payload.length + 16,
      0,
      0,
      0,
      28,
      0,
      5,
      0,
      ...new Array<number>(8).fill(0),
      ...payload,
    ]);
    this.#services.set(`${kind} ${place}`, {
      bytes,
      name: `${kind} ${place}`,
      destinations: new Map(),
    });
  }

  /** The table as `ipvsadm -Sn` prints it, sorted. */
  table(): readonly string[] {
    return [...this.#services.values()]
      .flatMap(({ name, bytes, destinations }) => [
        `-A ${name}${serviceWords(attributesOf(bytes).service)}`,
        ...Array.from(
          destinations,
          ([row, raw]) => `-a ${name} -r ${row}${destinationWords(attributesOf(raw).destination)}`,
        ),
      ])
      .sort();
  }

  #answer(bytes: Uint8Array): NetlinkAnswer {
    const command = bytes[16] ?? 0;
    const { service, destination } = attributesOf(bytes);
    if (command === 4) {
      return { errno: 0, messages: Array.from(this.#services.values(), (entry) => entry.bytes) };
    }
    const name = serviceName(service);
    const known = this.#services.get(name);
    if (command === 8) {
      return { errno: 0, messages: [...(known?.destinations.values() ?? [])] };
    }
    this.writes++;
    const errno = this.#write(command, { name, bytes, known, service, destination });
    return errno === 0 ? DONE : { messages: [], errno };
  }

  #write(
    command: number,
    it: {
      readonly name: string;
      readonly bytes: Uint8Array;
      readonly known: Service | undefined;
      readonly service: Attributes;
      readonly destination: Attributes;
    },
  ): number {
    const { name, bytes, known, service, destination } = it;
    if (command === 1 || command === 2) {
      if (command === 1 && known !== undefined) return EEXIST;
      if (command === 2 && known === undefined) return ESRCH;
      if (!SCHEDULERS.includes(text(service.get(6)))) return ENOENT;
      // What a dump gives has the form of a new service.
      const kept = bytes.slice();
      kept[16] = 1;
      if (known === undefined) {
        this.#services.set(name, { bytes: kept, name, destinations: new Map() });
      } else known.bytes = kept;
      this.lines.push(`-${command === 1 ? 'A' : 'E'} ${name}${serviceWords(service)}`);
      return 0;
    }
    if (known === undefined) return ESRCH;
    if (command === 3) {
      this.#services.delete(name);
      this.lines.push(`-D ${name}`);
      return 0;
    }
    return this.#writeDestination(command, known, bytes, destination);
  }

  #writeDestination(
    command: number,
    service: Service,
    bytes: Uint8Array,
    destination: Attributes,
  ): number {
    const row = endpoint(destination.get(1), destination.get(2), familyOf(service.bytes));
    const isKnown = service.destinations.has(row);
    if (command === 5 && isKnown) return EEXIST;
    if (command !== 5 && !isKnown) return ENOENT;
    const letter = { 5: 'a', 6: 'e', 7: 'd' }[command];
    if (letter === undefined) return 95;
    const kept = bytes.slice();
    kept[16] = 5;
    if (command === 7) service.destinations.delete(row);
    else service.destinations.set(row, kept);
    const words = command === 7 ? '' : destinationWords(destination);
    this.lines.push(`-${letter} ${service.name} -r ${row}${words}`);
    return 0;
  }
}

/** Behind the netlink header (16) and the generic one (4): service is attribute 1, destination 2. */
function attributesOf(bytes: Uint8Array) {
  const top = attributes(bytes.subarray(20));
  const nested = (type: number) => attributes(top.get(type) ?? new Uint8Array(0));
  return { service: nested(1), destination: nested(2) };
}

function attributes(bytes: Uint8Array): Attributes {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    found.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function familyOf(bytes: Uint8Array): number {
  return attributesOf(bytes).service.get(1)?.[0] ?? 0;
}

function serviceName(service: Attributes): string {
  const mark = service.get(5);
  const isIpv6 = service.get(1)?.[0] === 10;
  if (mark !== undefined) return `-f ${u32(mark)}${isIpv6 ? ' -6' : ''}`;
  const letter = { 6: 't', 17: 'u' }[service.get(2)?.[0] ?? 0];
  return `-${letter} ${endpoint(service.get(3), service.get(4), service.get(1)?.[0] ?? 0)}`;
}

function serviceWords(service: Attributes): string {
  const words = ` -s ${text(service.get(6))}`;
  const isPersistent = ((service.get(7)?.[0] ?? 0) & 1) !== 0;
  if (!isPersistent) return words;
  const mask = service.get(9) ?? new Uint8Array(4);
  const isIpv6 = service.get(1)?.[0] === 10;
  const length = u32(mask);
  const shown = isIpv6 ? `${length}` : `${ipFromBytes(mask)}`;
  const isWhole = shown === '255.255.255.255' || (isIpv6 && length === 128);
  return `${words} -p ${u32(service.get(8))}${isWhole ? '' : ` -M ${shown}`}`;
}

function destinationWords(destination: Attributes): string {
  const letter = { 0: 'm', 2: 'i', 3: 'g' }[u32(destination.get(3)) & 7];
  return ` -${letter} -w ${u32(destination.get(4))}`;
}

function endpoint(
  address: Uint8Array | undefined,
  port: Uint8Array | undefined,
  family: number,
): string {
  const bytes = address?.subarray(0, family === 10 ? 16 : 4) ?? new Uint8Array(4);
  const host = ipFromBytes(bytes) ?? ip('0.0.0.0');
  const number = ((port?.[0] ?? 0) << 8) | (port?.[1] ?? 0);
  return host.includes(':') ? `[${host}]:${number}` : `${host}:${number}`;
}

function u32(bytes: Uint8Array | undefined): number {
  if (bytes === undefined || bytes.length < 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes).replace(/\0.*$/, '');
}
