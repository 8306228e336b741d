/**
 * One record of what happened between two directors: the format of a simulator failure, the flight recorder, a lab run
 * and the console's timeline. Plain data (JSON, structured clone), so that any of them can be drawn by diagram.ts.
 *
 * A datagram is two records, `send` and `hear` (or `lose`), because what matters in bug 140414 is what was under way.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Node, PathName, Reason, Role } from '../model/index.ts';

export type TraceEvent =
  | {
      readonly kind: 'send';
      /** RUNNING, STOPPED, CLAIM, ... */
      readonly word: string;
      readonly path: PathName;
    }
  | {
      /** `node`: the sender of what is lost or takes longer, the receiver of what is heard or waits in its socket. */
      readonly kind: 'hear' | 'queue' | 'lose' | 'delay';
      readonly word: string;
      readonly path: PathName;
    }
  | { readonly kind: 'role'; readonly to: Role; readonly reason: Reason }
  /** The kernel answers for the VIPs from here on, or no longer. */
  | { readonly kind: 'addresses'; readonly isHeld: boolean }
  /** An announcement by `node` that the VIPs are at `owner`. */
  | { readonly kind: 'announce'; readonly owner: Node; readonly isLost: boolean }
  /** Whom the router now sends to. */
  | { readonly kind: 'router'; readonly believes: Node | 'nobody' }
  /** A fault, its end, or anything else worth a line: `frozen`, `cable pulled`. */
  | { readonly kind: 'event'; readonly text: string };

export type TraceRecord = TraceEvent & {
  /** Milliseconds since the start of the trace. */
  readonly at: Milliseconds;
  /** Where it happened; `segment`: between the machines. */
  readonly node: Node | 'segment';
};
