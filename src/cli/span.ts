/** Spans of time as people type them. A file of its own: the console's process must not bring the director's verbs along. */
import type { Milliseconds } from '../base/index.ts';

/** `90s`, `10m`, `2h` in milliseconds, 1 second to a day; undefined for anything else. */
export function parseTime(text: string): Milliseconds | undefined {
  const [, number, unit] = /^(\d{1,5})([smh])$/.exec(text) ?? [];
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? 0;
  const ms = Number(number) * unitMs;
  return ms >= 1000 && ms <= 24 * 3_600_000 ? ms : undefined;
}
