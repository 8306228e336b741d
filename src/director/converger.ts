/**
 * Makes the kernel hold what the core wishes, a slice at a time.
 *
 * The idea: a wish is compared with a fresh observation and the difference applied (`planAddresses`). A slice is a few
 * milliseconds of kernel time, so that ten thousand VIPs never keep a heartbeat waiting; a handful is done in the
 * call that brings the wish. The same comparison repairs what someone else undid, adopts what an earlier life left,
 * and serves a reload: there is no second code path. Rejected: remembering what we did. Only the kernel knows what
 * it holds.
 */
import { after, type Instant, type IpAddress, later, ok, type Result } from '../base/index.ts';
import { type AddressPlan, planAddresses } from '../core/index.ts';
import type { AddressOperation, PortError, Vip } from '../model/index.ts';
import type { AddressPort } from '../ports/index.ts';
import { portErrorText } from './sentences.ts';

/** Operations a slice. With 10,000 addresses on a device the kernel takes up to 0.3 ms for each. */
const SLICE = 32;
/** Someone who removes a VIP in a loop gets it back at once, then at this interval. */
const REPAIR_INTERVAL_MS = 100;

/** What a finished task came to. */
export type Done =
  | { readonly kind: 'converged'; readonly wish: number; readonly refusal?: string }
  /** The VIPs that had to be raised again; none when only something was lowered. */
  | { readonly kind: 'repaired'; readonly vips: readonly IpAddress[]; readonly refusal?: string };

type Task =
  | { readonly kind: 'converge'; readonly wish: number }
  | { readonly kind: 'repair'; readonly vips: readonly IpAddress[] };

export class Converger {
  readonly #port: AddressPort;
  #vips: readonly Vip[];
  /** Floating addresses of earlier settings, to be lowered whatever the role. */
  #former: readonly Vip[] = [];
  /** Of the last wish; undefined before the first. */
  #role: 'active' | 'standby' | undefined;
  #task: Task | undefined;
  #queue: AddressOperation[] = [];
  #refusals: string[] = [];
  #repairAt: Instant | undefined;
  #nextRepairAt: Instant | undefined;

  constructor(port: AddressPort, vips: readonly Vip[]) {
    this.#port = port;
    this.#vips = vips;
  }

  /** Of the last wish; undefined before the first. */
  get role(): 'active' | 'standby' | undefined {
    return this.#role;
  }

  /** There is work for the next turn. */
  get isBusy(): boolean {
    return this.#task !== undefined;
  }

  /** The kernel holds the VIPs as the last wish for `active` asked. */
  get holdsVips(): boolean {
    return this.#role === 'active' && !this.isBusy && this.#refusals.length === 0;
  }

  /** What the kernel does not hold although it should, or the other way round, as a sentence. */
  get refusal(): string | undefined {
    const [first] = this.#refusals;
    const more = this.#refusals.length - 1;
    return first === undefined || more === 0 ? first : `${first} (and ${more} more)`;
  }

  /** When a repair is due. */
  get repairAt(): Instant | undefined {
    return this.#repairAt;
  }

  /** New settings: what is no longer among `vips` is lowered with the next wish. */
  replaceVips(vips: readonly Vip[]): void {
    const kept = new Set(vips.map(({ address }) => address));
    this.#former = [...this.#former, ...this.#vips].filter(({ address }) => !kept.has(address));
    this.#vips = vips;
  }

  /** Takes a wish up and does its first slice; an older task is given up. */
  want(wish: number, role: 'active' | 'standby'): Done | undefined {
    this.#role = role;
    this.#task = { kind: 'converge', wish };
    const planned = this.#plan();
    this.#queue = planned.ok ? [...planned.value.operations] : [];
    if (!planned.ok) this.#refusals = [portErrorText(planned.error)];
    return this.advance();
  }

  /** The next slice; the outcome when it was the last. */
  advance(): Done | undefined {
    if (this.#task === undefined) return undefined;
    const slice = this.#queue.splice(0, SLICE);
    for (const [index, error] of this.#port.apply(slice).entries()) {
      const operation = slice[index];
      if (error === undefined || operation === undefined) continue;
      this.#refusals.push(this.#refusalText(operation, error));
    }
    return this.#queue.length === 0 ? this.#finish(this.#task) : undefined;
  }

  /** Addresses may have changed under us: to be looked into, soon. Nothing before the first wish. */
  suspect(now: Instant): void {
    if (this.#role === undefined || this.#repairAt !== undefined) return;
    this.#repairAt = later(now, this.#nextRepairAt ?? now);
  }

  /** Looks, if it is time, and begins to put right what differs from the wish. */
  repair(now: Instant): Done | undefined {
    if (this.isBusy || this.#repairAt === undefined || this.#repairAt > now) return undefined;
    this.#repairAt = undefined;
    this.#nextRepairAt = after(now, REPAIR_INTERVAL_MS);
    const planned = this.#plan();
    if (!planned.ok) {
      this.suspect(now);
      return undefined;
    }
    const { operations } = planned.value;
    if (operations.length === 0) return this.#unrepairable();
    this.#queue = [...operations];
    this.#task = { kind: 'repair', vips: addedBy(operations) };
    return this.advance();
  }

  #plan(): Result<AddressPlan, PortError> {
    const observed = this.#port.observe();
    if (!observed.ok) return observed;
    const wish = { vips: this.#vips, former: this.#former, role: this.#role ?? 'standby' };
    const plan = planAddresses(wish, observed.value);
    this.#refusals = plan.missing.map(
      ({ vip }) => `${placeOf(vip)}interface ${vip.device} of VIP ${vip.address} does not exist`,
    );
    return ok(plan);
  }

  #finish(task: Task): Done {
    this.#task = undefined;
    const { refusal } = this;
    if (refusal === undefined) this.#former = [];
    if (task.kind === 'repair')
      return this.#unrepairable() ?? { kind: 'repaired', vips: task.vips };
    return { kind: 'converged', wish: task.wish, ...(refusal !== undefined && { refusal }) };
  }

  /** What the role asks for cannot be held: the device is gone, or the kernel refuses. */
  #unrepairable(): Done | undefined {
    const { refusal } = this;
    return refusal === undefined ? undefined : { kind: 'repaired', vips: [], refusal };
  }

  /** `lvs.cf:31: kernel refused add address 198.51.100.100 on eth0: no such interface (ENODEV)`. */
  #refusalText({ row }: AddressOperation, error: PortError): string {
    const vip = [...this.#vips, ...this.#former].find(({ address }) => address === row.address);
    const where = vip === undefined ? '' : placeOf(vip);
    return `${where}kernel refused ${portErrorText(error)}`;
  }
}

function placeOf({ origin }: Vip): string {
  return `${origin.file}:${origin.line}: `;
}

function addedBy(operations: readonly AddressOperation[]): readonly IpAddress[] {
  return operations.flatMap(({ kind, row }) => (kind === 'add-address' ? [row.address] : []));
}
