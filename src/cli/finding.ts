/** What one check of the doctor came to: how bad, in which words, on what evidence, and what to type. */

export const MARKS = { good: '✓', warning: '!', broken: '✗', unknown: '?' } as const;
export type Severity = keyof typeof MARKS;

export type Cure = {
  /** `here`, or the machine that it is typed on. */
  readonly on: string;
  readonly command: string;
};

export type Finding = {
  /** The check's name, kebab-case; it does not change between versions. */
  readonly check: string;
  readonly severity: Severity;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly cures?: readonly Cure[];
};

/** Exit codes of the doctor: the worst finding. */
export function exitOf(findings: readonly Finding[]): number {
  const has = (severity: Severity): boolean =>
    findings.some((finding) => finding.severity === severity);
  if (has('broken')) return 2;
  if (has('warning')) return 1;
  return has('unknown') ? 3 : 0;
}
