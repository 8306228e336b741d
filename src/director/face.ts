/**
 * What the API may ask of a living director, and what a director needs of an API: the seam between the two rooms. The
 * director never imports the API; whoever starts it hands one in (`PulseOptions.api`).
 */
import type { Node } from '../model/index.ts';
import type { Clock } from '../ports/index.ts';
import type { AuditLog } from './audit-log.ts';
import type { ChangeDesk } from './change-desk.ts';
import type { EventKind, EventLog } from './event-log.ts';
import type { MetricFacts } from './metric-facts.ts';
import type { Orders } from './orders.ts';
import type { RunDirectory } from './run-directory.ts';
import type { RunningConfiguration } from './running-configuration.ts';
import type { ServicesRunner } from './services-runner.ts';
import type { StatusDocument } from './status.ts';

export type DirectorFace = {
  readonly node: Node;
  /** The running lvs.cf. */
  readonly configFile: string;
  /** Holds what outlives this life: history, audit. Mode 0700; made by the first who writes there. */
  readonly stateDirectory: string;
  readonly runDirectory: string;
  readonly configuration: Pick<
    RunningConfiguration,
    'settings' | 'plan' | 'digest' | 'warnings' | 'reload' | 'preview'
  >;
  readonly changes: Pick<
    ChangeDesk,
    'config' | 'check' | 'diff' | 'apply' | 'confirm' | 'undo' | 'history' | 'version'
  >;
  readonly events: EventLog;
  readonly audit: AuditLog;
  readonly orders: Pick<Orders, 'give' | 'last'>;
  readonly clock: Clock;
  /** Fresh from the worker if it answers in time; undefined before its first word. */
  readonly status: () => Promise<StatusDocument | undefined>;
  /** Undefined while the director starts or stops. */
  readonly services: () => ServicesFace | undefined;
  /** Undefined before the worker's first word. */
  readonly metrics: () => MetricFacts | undefined;
  /** For metrics: somebody who came by this socket got an answer of this status. */
  readonly answered: (socket: string, status: number) => void;
  /** To the log; with a kind to the readers of events, too. */
  readonly tell: (lines: readonly string[], kind?: EventKind) => void;
};

export type ServicesFace = Pick<
  ServicesRunner,
  'state' | 'plane' | 'observed' | 'override' | 'probeNow' | 'preview'
>;

/** Why the director does not do what it is asked. */
export const REFUSALS = ['bad-request', 'busy', 'no-order', 'refused'] as const;
export type Refusal = { readonly reason: (typeof REFUSALS)[number]; readonly text: string };

/** The API as the director sees it. */
export type Api = {
  /** Listens in the run directory, which is ours; rejects with what the system says. */
  readonly open: (face: DirectorFace, directory: RunDirectory) => Promise<OpenApi>;
  /** Loads whatever a request may need, so that its compiled form is in Node's cache. */
  readonly warm: () => Promise<void>;
};

export type OpenApi = {
  /** Ends every connection. */
  close(): void;
};
