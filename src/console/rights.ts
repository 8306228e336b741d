/**
 * What somebody may do: look, operate (orders, drain, reload, confirm), change (the configuration). Each holds those
 * before it.
 */

export const RIGHTS = ['look', 'operate', 'change'] as const;
export type Rights = (typeof RIGHTS)[number];

export function isRights(word: string): word is Rights {
  return RIGHTS.some((it) => it === word);
}

export function holds(has: Rights, needed: Rights): boolean {
  return RIGHTS.indexOf(has) >= RIGHTS.indexOf(needed);
}
