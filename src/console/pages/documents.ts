/** What the director says over its API, as far as the pages read it. The shapes are its own; the ones below are of src/api. */
import type { AuditEntry, ServicesDocument, StatusDocument } from '../../director/index.ts';

export type { AuditEntry, ServicesDocument, StatusDocument };
export type ServiceRow = ServicesDocument['services'][number];
export type ServerRow = ServiceRow['servers'][number];

export type Rights = 'look' | 'operate' | 'change';

export type ConfigDocument = {
  readonly v: 1;
  readonly file: string;
  readonly text: string;
  readonly digest: string;
  readonly serialNo: number;
  readonly pending?: Pending;
};

export type Pending = {
  readonly untilWallMs: number;
  readonly serial: number;
  readonly author: string;
  readonly reason: string;
  readonly isBoth: boolean;
};

export type DiffDocument = { readonly text: string; readonly meaning: readonly string[] };

export type ApplyDocument = {
  readonly digest: string;
  readonly serial: number;
  readonly steps: readonly string[];
  readonly pending?: Pending;
};

export type Version = {
  readonly serial: number;
  readonly at: string;
  readonly author: string;
  readonly reason: string;
  readonly digest: string;
  readonly state: string;
  readonly size: number;
};

export type Incident = {
  readonly id: string;
  readonly at: string;
  readonly node: string;
  readonly roles: readonly {
    readonly from: string;
    readonly to: string;
    readonly reason: string;
  }[];
  readonly bytes: number;
};

export type EventDocument = {
  /** Absent: the page says it of itself. */
  readonly id?: string;
  readonly at: string;
  readonly node?: string;
  readonly kind: string;
  readonly text: string;
};

export type CheckRun = {
  readonly verdict: string;
  readonly reason?: string;
  readonly tookMs: number;
  readonly detail?: string;
};

/** A refusal: one sentence, and the closed list's word. */
export type Trouble = {
  readonly status: number;
  readonly title: string;
  readonly reason?: string;
  /** What is wrong, one by one, where there is more than one thing. */
  readonly lines?: readonly string[];
};
