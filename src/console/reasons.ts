/**
 * What docs/reasons.md says of each reason, as the pages show it: what happened, and what to look at. The document is the one
 * place where a reason becomes a sentence; the build (build.ts) puts its tables into the pages. Pure.
 */
import { tablesOf } from '../base/index.ts';

export type ReasonWords = {
  readonly what: string;
  /** Absent: there is nothing to be done about it. */
  readonly look?: string;
};

/** By word, for each of the three tables. */
export type Reasons = {
  /** Why a role changed. */
  readonly role: Readonly<Record<string, ReasonWords>>;
  /** What a director tells without changing its role. */
  readonly told: Readonly<Record<string, ReasonWords>>;
  /** Why a real server is in service or not. */
  readonly server: Readonly<Record<string, ReasonWords>>;
};

/** `text`: docs/reasons.md. */
export function reasonsOf(text: string): Reasons {
  const [role, told, server] = ['Role', 'What happened', 'In service'].map((second) => {
    const table = tablesOf(text).find(({ head }) => head[1] === second);
    const rows = table?.rows.flatMap(([words = '', ...cells]) => {
      const [what = '', look = ''] = cells.slice(-2);
      return words.split(', ').map((word) => [word, { what, ...(look !== '' && { look }) }]);
    });
    return Object.fromEntries(rows ?? []);
  });
  return { role, told, server };
}
