/** "Why not?" under the verdict: open by itself when something is wrong, folded when all is well. */
import { computed } from '@preact/signals';
import type { Reasons } from '../reasons.ts';
import { isStale, nodeOf, pair, services, whyNotHere } from './live.ts';
import { MARKS } from './monitor.ts';
import {
  type Answer,
  isTrouble,
  whyOfPair,
  whyOfServices,
  whyOfSilence,
  worstFirst,
} from './why.ts';
import { counted } from './words.ts';

/** Put here by the build (../build.ts): docs/reasons.md. */
declare const REASONS_OF_THE_DOCUMENT: Reasons;
export const reasons: Reasons = REASONS_OF_THE_DOCUMENT;

const SHOWN_SERVERS = 6;

export function WhyNot() {
  const { answers, more } = known.value;
  if (answers.length === 0) return null;
  const troubles = answers.filter(isTrouble).length + more;
  return (
    <details class="card why" open={troubles > 0}>
      <summary>
        Why not?{' '}
        <small>{troubles === 0 ? 'All is well' : `${counted(troubles, 'thing')} to look at`}</small>
      </summary>
      <dl>
        {answers.map((answer) => (
          <AnswerView key={`${answer.question} ${answer.reason}`} answer={answer} />
        ))}
      </dl>
      {more > 0 && <p class="dim">and {counted(more, 'more server')}: “trouble only” lists them</p>}
    </details>
  );
}

/** Of old news only why it is old. */
const known = computed(() => {
  const both = pair.value;
  if (isStale.value || whyNotHere.value !== undefined) {
    const why = whyNotHere.value ?? 'The console does not answer.';
    return { answers: [whyOfSilence(why, nodeOf('partner'))], more: 0 };
  }
  if (both === undefined) return { answers: [], more: 0 };
  const ofPair = whyOfPair(both, reasons);
  if (services.value === undefined) return { answers: ofPair, more: 0 };
  const { answers, more } = whyOfServices(services.value, reasons, SHOWN_SERVERS);
  return { answers: worstFirst([...ofPair, ...answers]), more };
});

/** A pair of a definition list. */
export function AnswerView({
  answer: { question, tone, answer, next, reason },
}: {
  answer: Answer;
}) {
  return (
    <div class={`answer ${tone}`}>
      <dt>
        <span aria-hidden="true">{MARKS[tone]} </span>
        {question}
      </dt>
      <dd>
        {answer} {reason !== undefined && <code>{reason}</code>}
        {next !== undefined && (
          <span class="next">
            <strong>Next:</strong> {next}.
          </span>
        )}
      </dd>
    </div>
  );
}
