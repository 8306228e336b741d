/**
 * The face of the services machine: what goes in, what comes out. Same shape as the failover machine
 * (`step(state, input) -> { state, effects }`, deadlines in the state, `wakeAt` their minimum), no shared state with it.
 *
 * Contract with the crank (main thread):
 * - `now` never goes backwards. Verdicts are handed over in batches, a few milliseconds' worth each: a hundred servers
 *   that fail together make one table, not a hundred.
 * - `checks` and `table` are wishes, complete each time: whatever stood before is replaced. A `table` is carried out by
 *   observe, `planTable`, apply; only the newest counts.
 * - Both directors run this machine all the time, active or not: the standby is warm.
 */
import type { Instant } from '../base/index.ts';
import type { Check, ProbeFailure, ServiceTable, Settings, Verdict } from '../model/index.ts';
import type { LoadMonitor } from './services-plan.ts';

/** An operator's word against the checks', or the file's. It outlives reloads; without `until` it stays until it is lifted. */
export type Override = Word & { readonly until?: Instant };
type Word =
  /**
   * `drain`: weight 0, connections finish. `disable`: not in the table. `force-up`: in service whatever its checks say
   * (nanny's USR2; its USR1 is `disable`, its HUP a lift).
   */
  | { readonly kind: 'drain' | 'disable' | 'force-up' }
  /** As if lvs.cf said `weight`, 0 to MAX_WEIGHT; its checks decide as before. 0 is a drain. */
  | { readonly kind: 'weight'; readonly weight: number };
export const OVERRIDE_KINDS = [
  'drain',
  'disable',
  'force-up',
  'weight',
] as const satisfies readonly Override['kind'][];

export type ServicesInput =
  /** Start or reload. `standing`: what the kernel holds, at the start of a life; servers in it keep their weights. */
  | {
      readonly kind: 'settings';
      readonly now: Instant;
      readonly settings: Settings;
      readonly standing?: ServiceTable;
    }
  | {
      readonly kind: 'verdicts';
      readonly now: Instant;
      readonly verdicts: readonly { readonly check: string; readonly verdict: Verdict }[];
    }
  /** Measured 1-minute loads by server address; undefined when it could not be read. */
  | {
      readonly kind: 'loads';
      readonly now: Instant;
      readonly loads: ReadonlyMap<string, number | undefined>;
    }
  /** `target` is `server` (in every service that lists it) or `service/server`. No override: lifted. */
  | {
      readonly kind: 'override';
      readonly now: Instant;
      readonly target: string;
      readonly override?: Override;
    }
  /** The kernel refused a write; `text` says which and why. */
  | { readonly kind: 'refused'; readonly now: Instant; readonly text: string }
  | { readonly kind: 'wake'; readonly now: Instant };

/** Why a server is where it is. With PROBE_FAILURES the closed list of words for logs, metrics, API and console. */
export const SERVER_REASONS = [
  'healthy', // its checks are up
  'slow-start', // they are, and its weight still grows
  'unproven', // no conclusion yet
  'recovering', // it was down, its checks are good again, not yet for long enough
  'kept', // no conclusion yet; it was in service before this director started
  'drained', // operator
  'disabled', // operator
  'forced-up', // operator
  'weighed', // its checks are up, and an operator says its weight
] as const;
export type ServerReason = (typeof SERVER_REASONS)[number] | ProbeFailure;

/** Things worth telling a person. `service` is the section's name. */
export type ServicesNote =
  | {
      readonly kind: 'server';
      readonly service: string;
      readonly server: string;
      /** Undefined: not in the table. */
      readonly weight: number | undefined;
      readonly reason: ServerReason;
      readonly detail?: string;
    }
  | { readonly kind: 'sorry'; readonly service: string; readonly isShown: boolean }
  | { readonly kind: 'quorum'; readonly service: string; readonly isReached: boolean }
  | { readonly kind: 'override-ended'; readonly target: string };

export type ServicesEffect =
  /** Make these probes, and no others. */
  | {
      readonly kind: 'checks';
      readonly checks: readonly Check[];
      readonly loads: readonly LoadMonitor[];
    }
  /** Make the kernel hold this. */
  | { readonly kind: 'table'; readonly wish: number; readonly table: ServiceTable }
  /** quorum_up_cmd, quorum_down_cmd. */
  | { readonly kind: 'hook'; readonly service: string; readonly command: string }
  | { readonly kind: 'note'; readonly note: ServicesNote }
  /** hard_shutdown = 1 only: a monitor or the kernel failed for one server, and the whole service is to go down. */
  | { readonly kind: 'failed'; readonly text: string };

/** One row of `piranha services`. */
export type ServerStatus = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly configuredWeight: number;
  /** Undefined: not in the table. */
  readonly weight: number | undefined;
  readonly reason: ServerReason;
  readonly detail?: string;
  readonly since: Instant;
  readonly override?: Override;
};

export type ServiceStatus = {
  readonly name: string;
  readonly key: string;
  readonly scheduler: string;
  readonly servers: readonly ServerStatus[];
  readonly sorryServer?: { readonly address: string; readonly isShown: boolean };
  readonly quorum: 'unknown' | 'reached' | 'lost';
};
