/** What operators said beside the file, as sentences: an override must be seen wherever the file is looked at. */
import { elapsedMs, type Instant } from '../base/index.ts';
import type { Override, ServicesState } from '../core/index.ts';

const WORDS = {
  drain: 'is drained',
  disable: 'is disabled',
  'force-up': 'is forced up',
} as const;

/** `not in the file: web-b is drained by an operator, 22 min left` */
export function overrideSentences(
  state: Pick<ServicesState, 'overrides'> | undefined,
  now: Instant,
): readonly string[] {
  return Array.from(state?.overrides ?? [], ([target, override]) => {
    const word = wordOf(override);
    const { until } = override;
    const end =
      until === undefined
        ? 'until it is lifted'
        : `${Math.max(1, Math.round(elapsedMs(now, until) / 60_000))} min left`;
    return `not in the file: ${target} ${word} by an operator, ${end}`;
  });
}

function wordOf(override: Override): string {
  return override.kind === 'weight' ? `has weight ${override.weight}` : WORDS[override.kind];
}
