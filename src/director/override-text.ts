/** What operators said beside the file, as sentences: an override must be seen wherever the file is looked at. */
import { elapsedMs, type Instant } from '../base/index.ts';
import type { ServicesState } from '../core/index.ts';

const WORDS = { drain: 'drained', disable: 'disabled', 'force-up': 'forced up' } as const;

/** `not in the file: web-b is drained by an operator, 22 min left` */
export function overrideSentences(
  state: Pick<ServicesState, 'overrides'> | undefined,
  now: Instant,
): readonly string[] {
  return Array.from(state?.overrides ?? [], ([target, override]) => {
    const word = override.kind in WORDS ? WORDS[override.kind] : override.kind;
    const { until } = override;
    const end =
      until === undefined
        ? 'until it is lifted'
        : `${Math.max(1, Math.round(elapsedMs(now, until) / 60_000))} min left`;
    return `not in the file: ${target} is ${word} by an operator, ${end}`;
  });
}
