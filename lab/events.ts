/**
 * What the observer says: one JSON array a line, [kind, milliseconds on CLOCK_MONOTONIC, ...]. One list for the observer
 * that writes it and the timeline that reads it.
 */
import type { Director } from './topology.ts';

export type Answering = readonly Director[];
export type NeighbourState = 'none' | 'incomplete' | 'valid';
export type Snapshot = {
  /** Which directors hold the VIP, from a dump of each kernel. */
  readonly owners: readonly Director[];
  /** The router's entry for the VIP: a link-layer address, or undefined. */
  readonly router: string | undefined;
};

export type LabEvent =
  /** The observer is up; whether it runs with real-time priority. */
  | readonly ['ready', number, { readonly isRealtime: boolean }]
  /** A probe sent at this time: who answered, after how long; null = nobody within half a second. */
  | readonly ['probe', number, Director | null, number]
  /** Who answers a fresh question for the VIP; only changes. */
  | readonly ['answering', number, Answering]
  /** A director's kernel gained or lost the VIP. */
  | readonly ['vip', number, Director, 'raised' | 'gone']
  /** The router's entry for the VIP changed: the link-layer address or null, and the kernel's state bits. */
  | readonly ['router', number, string | null, number]
  /** A broadcast that claims the VIP left a director: which address it announces. */
  | readonly ['announcement', number, Director, 'reply' | 'request' | 'advertisement', string]
  /**
   * A heartbeat left a director ('sent'), or went out of the switch towards its partner ('passed'); what it says: a word
   * of pulse (`running`, `stopped`), `advert` of VRRP, or `?`.
   */
  | readonly ['heartbeat', number, Director, 'sent' | 'passed', 'segment' | 'private', string]
  /** The observer itself was late by so many milliseconds. */
  | readonly ['stall', number, number]
  | readonly ['snapshot', number, number, Snapshot];

export type EyeSettings = {
  readonly vip: string;
  readonly heartbeatPort: number;
  readonly hasPrivateNetwork: boolean;
  /** Between two probes of the client; between two questions "who has the VIP?". */
  readonly probeMs: number;
  readonly askMs: number;
};
