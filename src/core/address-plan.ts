/**
 * From the wish "hold the floating addresses" or "hold none" to the fewest writes that make the kernel agree.
 *
 * The kernel's rows are compared, not remembered: a takeover, a reload, an address that someone else removed and one
 * that an earlier life left behind are the same case. A row is ours when its address is a floating address of the
 * configuration, on whatever device, with whatever prefix; all other rows stay.
 *
 * Order: what is missing is added before what is too much is deleted, so that a VIP that moves to another device or
 * prefix always stands somewhere. Two rows the kernel takes for the same one (IPv4: only the label differs; IPv6: only
 * the prefix) cannot stand together: there the old one goes first.
 *
 * IPv4 has a trap: of several addresses in one subnet of a device the first is primary, and deleting it deletes the
 * others with it (unless the sysctl promote_secondaries is set). Ours are therefore deleted last to first, and rows
 * that must stay are written once more afterwards; where they still stand that is a harmless EEXIST. Rejected: setting
 * the sysctl, it belongs to the machine and not to us.
 *
 * Source: piranha 0.8.6 (ifconfig device:alias), net/ipv4/devinet.c, net/ipv6/addrconf.c.
 */
import { type IpAddress, ipBytes, ipFamily, toHex } from '../base/index.ts';
import type { AddressOperation, AddressRow, KernelAddresses, Vip } from '../model/index.ts';

export type AddressWish = {
  readonly vips: readonly Vip[];
  readonly role: 'active' | 'standby';
  /** Floating addresses of earlier settings: removed whatever the role, unless `vips` names them still. */
  readonly former?: readonly Vip[];
};

/** A floating address that cannot be raised. */
export type MissingVip = { readonly vip: Vip; readonly reason: 'no-such-device' };

export type AddressPlan = {
  /** To be applied in this order; empty when the kernel holds the wish. */
  readonly operations: readonly AddressOperation[];
  readonly missing: readonly MissingVip[];
};

/** `observed.rows` in the order of the kernel's dump: a primary address before its secondaries. */
export function planAddresses(desired: AddressWish, observed: KernelAddresses): AddressPlan {
  const { wanted, missing } = rowsOf(desired, observed);
  const ours = rowsByAddress([...desired.vips, ...(desired.former ?? [])], observed);
  const standing = new Set<AddressRow>();
  const early: AddressRow[] = [];
  const late: AddressRow[] = [];
  for (const row of wanted) {
    const rows = ours.get(row.address) ?? [];
    const same = rows.find((candidate) => isSameToKernel(candidate, row));
    if (same === undefined) early.push(row);
    else if (isAsWanted(same, row)) standing.add(same);
    else late.push(row);
  }
  const unwanted = observed.rows.filter((row) => ours.has(row.address) && !standing.has(row));
  const endangered = carriedAway(unwanted, observed.rows, early);
  return {
    operations: [
      ...early.map((row) => ({ kind: 'add-address', row }) as const),
      ...unwanted.reverse().map((row) => ({ kind: 'delete-address', row }) as const),
      ...[...late, ...endangered].map((row) => ({ kind: 'add-address', row }) as const),
    ],
    missing,
  };
}

/** The rows that should stand, each address once (the first that names it decides). */
function rowsOf(
  { vips, role }: AddressWish,
  { links }: KernelAddresses,
): { readonly wanted: readonly AddressRow[]; readonly missing: readonly MissingVip[] } {
  if (role === 'standby') return { wanted: [], missing: [] };
  const indexes = new Map(links.map((link) => [link.name, link.index]));
  const wanted = new Map<IpAddress, AddressRow>();
  const missing: MissingVip[] = [];
  for (const vip of vips) {
    const interfaceIndex = indexes.get(vip.device);
    if (interfaceIndex === undefined) missing.push({ vip, reason: 'no-such-device' });
    else if (!wanted.has(vip.address)) wanted.set(vip.address, rowOf(vip, interfaceIndex));
  }
  return { wanted: [...wanted.values()], missing };
}

function rowOf(vip: Vip, interfaceIndex: number): AddressRow {
  const { address, prefixLength, broadcast, device, label } = vip;
  const row = { interfaceIndex, address, prefixLength };
  // IPv6 knows neither; an IPv4 address without alias carries its device's name, as the kernel would give it.
  if (ipFamily(address) === 6) return row;
  return { ...row, ...(broadcast !== undefined && { broadcast }), label: label ?? device };
}

/** What stands of the floating addresses: every address of `vips`, with its rows. */
function rowsByAddress(
  vips: readonly Vip[],
  { rows }: KernelAddresses,
): ReadonlyMap<IpAddress, readonly AddressRow[]> {
  const found = new Map<IpAddress, AddressRow[]>(vips.map((vip) => [vip.address, []]));
  for (const row of rows) found.get(row.address)?.push(row);
  return found;
}

/** The kernel would answer EEXIST to the one while the other stands. */
function isSameToKernel(a: AddressRow, b: AddressRow): boolean {
  if (a.address !== b.address || a.interfaceIndex !== b.interfaceIndex) return false;
  return ipFamily(a.address) === 6 || a.prefixLength === b.prefixLength;
}

/** Given the same device and address. The broadcast address is not worth a gap in service. */
function isAsWanted(row: AddressRow, wanted: AddressRow): boolean {
  if (row.prefixLength !== wanted.prefixLength) return false;
  return ipFamily(row.address) === 6 || row.label === wanted.label;
}

/** IPv4 rows that should stay, but stand (or are just raised) behind a primary address that is deleted. */
function carriedAway(
  deleted: readonly AddressRow[],
  rows: readonly AddressRow[],
  raised: readonly AddressRow[],
): readonly AddressRow[] {
  const doomed = new Set(deleted);
  if (!deleted.some((row) => ipFamily(row.address) === 4)) return [];
  const primaries = new Map<string, AddressRow>();
  const found: AddressRow[] = [];
  for (const row of [...rows, ...raised]) {
    if (ipFamily(row.address) === 6) continue;
    const subnet = subnetOf(row);
    const primary = primaries.get(subnet);
    if (primary === undefined) primaries.set(subnet, row);
    else if (doomed.has(primary) && !doomed.has(row)) found.push(row);
  }
  return found;
}

function subnetOf(row: AddressRow): string {
  const network = ipBytes(row.address).map((byte, index) => {
    const bits = Math.min(8, Math.max(0, row.prefixLength - index * 8));
    return byte & (0xff00 >> bits);
  });
  return `${row.interfaceIndex} ${toHex(network)}/${row.prefixLength}`;
}
