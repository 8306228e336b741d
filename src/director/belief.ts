/**
 * Whom the segment believes, VIP by VIP, as far as it was proved: what the notes of the worker add up to. Pure.
 *
 * `unknown` is the honest word between an announcement and its proof, and for a witness that answers nobody.
 */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import type { Note } from '../core/index.ts';

export type Belief = {
  readonly owner: 'us' | 'partner' | 'stranger' | 'unknown';
  /** Who was asked; absent: somebody was heard to claim the VIP. */
  readonly witness?: IpAddress;
  /** From the announcement to the proof. */
  readonly tookMs?: Milliseconds;
};

export type Beliefs = ReadonlyMap<IpAddress, Belief>;

export const NO_BELIEFS: Beliefs = new Map();

/** A proof that is repeated (slow refresh) keeps the time that the first one took. */
export function learnBelief(beliefs: Beliefs, note: Note): Beliefs {
  switch (note.kind) {
    case 'role':
      return note.to === 'active' || note.from === 'active' ? NO_BELIEFS : beliefs;
    case 'believed': {
      const { witness, tookMs } = note;
      const news = note.vips.filter((vip) => beliefs.get(vip)?.owner !== 'us');
      return withBelief(beliefs, news, { owner: 'us', witness, tookMs });
    }
    case 'unbelieved': {
      const known = (vip: IpAddress) =>
        ['partner', 'stranger'].includes(beliefs.get(vip)?.owner ?? '');
      const news = note.vips.filter((vip) => !known(vip));
      return withBelief(beliefs, news, { owner: 'unknown' });
    }
    case 'foreign-claim':
      return withBelief(beliefs, [note.vip], { owner: note.by });
    default:
      return beliefs;
  }
}

/** Does this note tell what was known already? A slow refresh proves every minute what has not changed. */
export function isKnown(beliefs: Beliefs, note: Note): boolean {
  return note.kind === 'believed' && note.vips.every((vip) => beliefs.get(vip)?.owner === 'us');
}

function withBelief(beliefs: Beliefs, vips: readonly IpAddress[], belief: Belief): Beliefs {
  if (vips.length === 0) return beliefs;
  const next = new Map(beliefs);
  for (const vip of vips) next.set(vip, belief);
  return next;
}
