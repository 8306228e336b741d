/**
 * The crank's end of the kernel lease: gate first, then the address; extended at each tick while it lives.
 *
 * Without a lease (legacy dialect, no partner, a kernel without nf_tables) everything here is a no-op that says so in
 * the status. What somebody else does to the gate is put right at once and told.
 */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import type { Link, PortError } from '../model/index.ts';
import type { LeaseForm, LinuxLease } from '../ports/index.ts';
import { portErrorText } from './sentences.ts';

export type LeasePort = Pick<
  LinuxLease,
  | 'acquire'
  | 'claim'
  | 'drainEvents'
  | 'drop'
  | 'eventFd'
  | 'extend'
  | 'form'
  | 'install'
  | 'redeem'
  | 'remainingMs'
  | 'remove'
  | 'restore'
>;

/** For status: what is left, of how much, and in which form the kernel keeps it. */
export type LeaseStatus = {
  readonly lengthMs: Milliseconds;
  readonly remainingMs?: Milliseconds;
  readonly form: LeaseForm;
  /** How often somebody else removed or changed the gate. */
  readonly restored: number;
};

export class LeaseKeeper {
  readonly #port: LeasePort | undefined;
  readonly #tell: (key: string, text: string | undefined) => void;
  #lengthMs: Milliseconds = 0;
  #gated = '';
  #isClaimed = false;
  #restored = 0;

  constructor(port: LeasePort | undefined, tell: (key: string, text: string | undefined) => void) {
    this.#port = port;
    this.#tell = tell;
  }

  /** To be polled. */
  get fds(): readonly number[] {
    const fd = this.#port?.eventFd ?? -1;
    return this.#isOn && fd >= 0 ? [fd] : [];
  }

  status(): LeaseStatus | undefined {
    if (!this.#isOn || this.#port === undefined) return undefined;
    const remainingMs = this.#port.remainingMs();
    return {
      lengthMs: this.#lengthMs,
      form: this.#port.form,
      restored: this.#restored,
      ...(remainingMs !== undefined && { remainingMs }),
    };
  }

  /** The gate for these VIPs on every device that is there; `lengthMs` 0: no lease, and no gate of an earlier life. */
  install(vips: readonly IpAddress[], links: readonly Link[], lengthMs: Milliseconds): void {
    this.#lengthMs = lengthMs;
    if (this.#port === undefined) return;
    if (lengthMs === 0) {
      this.#gated = '';
      this.#told('remove the lease gate', this.#port.remove());
      return;
    }
    const devices = links.map(({ name, mac }) => `${name} ${mac ?? ''}`);
    const gated = `${devices.join()}|${vips.join()}`;
    if (gated === this.#gated) return;
    const error = this.#port.install(vips, links);
    this.#told('build the lease gate', error);
    if (error === undefined) this.#gated = gated;
  }

  /** A lease of an earlier life that is still alive goes on. */
  adopt(lengthMs: Milliseconds): boolean {
    if (this.#port === undefined || lengthMs === 0) return false;
    return this.#port.remainingMs() !== undefined && this.#port.extend(lengthMs) === 'alive';
  }

  /** A claim stands: for so long the kernel may be asked for its lease. */
  claim(ms: Milliseconds): void {
    if (!this.#isOn) return;
    this.#told('mark the claim', this.#port?.claim(ms));
    this.#isClaimed = true;
  }

  /** Before the addresses are raised. False when it comes too late for the claim: nothing may be raised. */
  acquire(): boolean {
    if (!this.#isOn || this.#port === undefined) return true;
    const isClaimed = this.#isClaimed;
    this.#isClaimed = false;
    const answer = isClaimed
      ? this.#port.redeem(this.#lengthMs)
      : this.#port.acquire(this.#lengthMs);
    if (answer === 'dead') return false;
    this.#told('acquire the lease', answer === 'alive' ? undefined : answer);
    return true;
  }

  /** Before the addresses are lowered: from here on nothing is answered. */
  drop(): void {
    this.#isClaimed = false;
    if (this.#isOn) this.#told('drop the lease', this.#port?.drop());
  }

  /** False when the lease has run out: its owner is standby. */
  extend(): boolean {
    if (!this.#isOn || this.#port === undefined) return true;
    const answer = this.#port.extend(this.#lengthMs);
    if (answer === 'alive' || answer === 'dead') {
      this.#told('extend the lease', undefined);
      return answer === 'alive';
    }
    if (answer === 'restored') this.#noteRestored();
    else this.#told('extend the lease', answer);
    return this.#port.remainingMs() !== undefined;
  }

  /** Somebody changed tables: if ours is among them, it is built again. */
  look(): void {
    if (!this.#isOn || this.#port === undefined || !this.#port.drainEvents()) return;
    this.#told('restore the lease gate', this.#port.restore());
    this.#noteRestored();
  }

  /** The end of a clean stop: nothing of ours stands between this machine and its addresses. */
  remove(): void {
    this.#port?.remove();
  }

  get #isOn(): boolean {
    return this.#port !== undefined && this.#lengthMs > 0;
  }

  #noteRestored(): void {
    this.#restored++;
    const text = 'the lease gate was removed by someone else: built again (gate-restored)';
    this.#tell('lease gate', this.#restored % 60 === 1 ? text : undefined);
    this.#tell('lease gate', undefined);
  }

  #told(operation: string, error: PortError | undefined): void {
    const text = error === undefined ? undefined : `cannot ${operation}: ${portErrorText(error)}`;
    this.#tell(operation, text);
  }
}
