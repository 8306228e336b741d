/** What one check of the doctor came to: how bad, in which words, on what evidence, and what to type. */
import type { CapturedFrame } from '../wire/index.ts';

export const MARKS = { good: '✓', warning: '!', broken: '✗', unknown: '?' } as const;
export type Severity = keyof typeof MARKS;

export type Cure = {
  /** `here`, or the machine that it is typed on. */
  readonly on: string;
  readonly command: string;
  /** The settings of this kernel that the command writes: `--fix` can write them, too. */
  readonly sysctls?: readonly Sysctl[];
};

/** A file below /proc/sys and what is to stand in it: `net/ipv4/ip_forward`. */
export type Sysctl = { readonly path: string; readonly value: number };

export type Finding = {
  /** The check's name, kebab-case; it does not change between versions. */
  readonly check: string;
  readonly severity: Severity;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly cures?: readonly Cure[];
  /** The frames that it stands on, sent and heard. */
  readonly frames?: readonly HeardFrame[];
};

/** Without the comments, which say what it is evidence of. */
export type HeardFrame = Omit<CapturedFrame, 'comments'>;

/** A finding without the check's name. */
export type Said = Omit<Finding, 'check'>;

export const good = (text: string): readonly Said[] => [{ severity: 'good', text }];
export const warning = (text: string, ...cures: readonly Cure[]): readonly Said[] => [
  { severity: 'warning', text, cures },
];
export const broken = (text: string, ...cures: readonly Cure[]): readonly Said[] => [
  { severity: 'broken', text, cures },
];
export const here = (command: string): Cure => ({ on: 'here', command });

/** `net/ipv4/ip_forward` becomes `net.ipv4.ip_forward=1`; a device with a dot in its name keeps the slashes (sysctl(8)). */
export function sysctlsHere(...sysctls: readonly Sysctl[]): Cure {
  const words = sysctls.map((one) => sysctlText(one, '='));
  return { on: 'here', command: `sysctl -w ${words.join(' ')}`, sysctls };
}

export function sysctlText({ path, value }: Sysctl, between: string): string {
  const name = path.includes('.') ? path : path.replaceAll('/', '.');
  return `${name}${between}${value}`;
}

/** Exit codes of the doctor: the worst finding. */
export function exitOf(findings: readonly Pick<Finding, 'severity'>[]): number {
  const has = (severity: Severity): boolean =>
    findings.some((finding) => finding.severity === severity);
  if (has('broken')) return 2;
  if (has('warning')) return 1;
  return has('unknown') ? 3 : 0;
}
