/**
 * Refusals as application/problem+json: `{ type, title, status, reason }`, the title one sentence for a person, the
 * reason a word of this closed list for a program. Source: RFC 9457.
 */
import type { Headers } from './types.ts';

export const PROBLEMS = {
  'bad-request': [400, 'the query or the body is not what the route takes; the title says where'],
  'not-allowed': [403, 'the caller has not the right for it'],
  'no-such-resource': [404, 'there is nothing at this path, or of this name'],
  'no-order': [404, 'no order was given in this life of the director'],
  'wrong-method': [405, 'the path exists, but not for this method; `allow` says for which'],
  busy: [409, 'an earlier order is being carried out'],
  'change-pending': [409, 'another change waits for its confirmation'],
  'no-change-pending': [409, 'there is nothing to confirm or to undo'],
  stale: [412, 'the configuration is no longer the one that was read; read it again'],
  'too-large': [413, 'the body is longer than this route takes'],
  refused: [422, 'it was understood and is not done; the title says why'],
  'if-match-wanted': [428, 'a change has to say which configuration it was made from'],
  'too-many-streams': [429, 'as many streams are open as this director serves'],
  failed: [500, 'a defect of ours; the log has more'],
  'no-partner': [503, 'the partner cannot be asked'],
  'partner-refused': [422, 'the partner refuses it, so neither node did it'],
  starting: [503, 'the director is starting or stopping; ask again soon'],
} as const satisfies { readonly [reason: string]: readonly [status: number, about: string] };
export type ProblemReason = keyof typeof PROBLEMS;

export type Problem = {
  readonly reason: ProblemReason;
  /** One sentence. */
  readonly title: string;
  /** More of them, where there are: what is wrong with a file, line by line. */
  readonly lines?: readonly string[];
  readonly headers?: Headers;
};

export type ProblemDocument = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly reason: ProblemReason;
  readonly lines?: readonly string[];
};

export const PROBLEM_TYPE = 'application/problem+json';

export function problemDocument({ reason, title, lines }: Problem): ProblemDocument {
  const [status] = PROBLEMS[reason];
  const type = `urn:piranha:problem:${reason}`;
  return { type, title, status, reason, ...(lines !== undefined && { lines }) };
}
