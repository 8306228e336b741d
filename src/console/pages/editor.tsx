/** The two halves of an editing page: a form of fields, and the text of lvs.cf beside it with what is wrong at its lines. */
import { useId, useRef } from 'preact/hooks';
import type { Problem, SectionPath } from '../../config/index.ts';
import { changeField, setText, text, verdict, viewOf } from './draft.ts';
import type { FieldState, SectionView } from './form.ts';
import type { Field, FieldGroup } from './form-fields.ts';
import { session } from './live.ts';
import { Card, Pill } from './parts.tsx';
import { counted } from './words.ts';

export function mayChange(): boolean {
  return session.value?.rights === 'change';
}

export function Fields(props: { groups: readonly FieldGroup[]; path: SectionPath }) {
  const { groups, path } = props;
  const view = viewOf(path);
  return (
    <>
      {groups.map(({ title, fields, isExtra }) => {
        const inner = fields.map((field) => (
          <FieldView
            key={`${field.key}${field.word ?? ''}`}
            field={field}
            state={view.field(field)}
            onChange={(value) => changeField(path, field, value)}
          />
        ));
        return isExtra ? (
          <details key={title} open={isInUse(fields, view)}>
            <summary>{title}</summary>
            <div class="fields">{inner}</div>
          </details>
        ) : (
          <fieldset key={title} class="fields">
            <legend>{title}</legend>
            {inner}
          </fieldset>
        );
      })}
    </>
  );
}

function isInUse(fields: readonly Field[], view: SectionView): boolean {
  return fields.some((field) => view.field(field).value !== '');
}

function FieldView(props: { field: Field; state: FieldState; onChange: (value: string) => void }) {
  const { field, state, onChange } = props;
  const id = useId();
  const { label, unit, hint, byDefault } = field;
  const [problem] = state.problems;
  const notes = [problem?.message, problem === undefined ? hint : undefined].filter(Boolean);
  const common = {
    id,
    disabled: !mayChange(),
    'aria-invalid': problem?.severity === 'error',
    ...(notes.length > 0 && { 'aria-describedby': `${id}-note` }),
  };
  return (
    <p class={`field ${problem?.severity ?? ''}`}>
      <label for={id}>{label}</label>
      <span class="input">
        {control()}
        {unit !== undefined && <span class="unit">{unit}</span>}
      </span>
      {notes.length > 0 && (
        <span class="note" id={`${id}-note`}>
          {problem !== undefined && (
            <span aria-hidden="true">{problem.severity === 'error' ? '✗ ' : '! '}</span>
          )}
          {notes.join(' ')}
          {problem?.suggestion !== undefined && ` Perhaps: ${problem.suggestion}`}
        </span>
      )}
    </p>
  );

  function control() {
    if (field.kind === 'switch') {
      return (
        <input
          {...common}
          type="checkbox"
          checked={state.value === '1'}
          onChange={(event) => onChange(event.currentTarget.checked ? '1' : '0')}
        />
      );
    }
    if (field.kind === 'choice') {
      const choices = field.choices ?? [];
      const isKnown = choices.some(([value]) => value === state.value);
      return (
        <select
          {...common}
          value={state.value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          <option value="">{defaultText(choices, byDefault)}</option>
          {choices.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
          {!isKnown && state.value !== '' && <option value={state.value}>{state.value}</option>}
        </select>
      );
    }
    return (
      <input
        {...common}
        type="text"
        inputMode={field.kind === 'number' ? 'numeric' : 'text'}
        autocomplete="off"
        spellcheck={false}
        value={state.value}
        placeholder={byDefault ?? ''}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
}

function defaultText(
  choices: NonNullable<Field['choices']>,
  byDefault: string | undefined,
): string {
  const words = choices.find(([value]) => value === byDefault)?.[1] ?? byDefault ?? '';
  return `default: ${words}`;
}

const SHOWN_PROBLEMS = 50;
const LINE_HEIGHT = 20;

/** The text as it is, line numbers beside it; an edit of the form moves nothing but its own line. */
export function TextSide() {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const { problems } = verdict.value;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const lines = text.value.split('\n').length;
  const marked = new Map(problems.map((problem) => [problem.line, problem]));
  const goTo = ({ line, column, length }: Problem): void => {
    const element = area.current;
    if (element === null || line === 0) return;
    const before = text.value
      .split('\n')
      .slice(0, line - 1)
      .join('\n');
    const start = before.length + (line > 1 ? 1 : 0) + column - 1;
    element.focus();
    element.setSelectionRange(start, start + length);
    element.scrollTop = Math.max(0, (line - 6) * LINE_HEIGHT);
  };
  return (
    <Card
      title="lvs.cf"
      class="text-side"
      aside={
        <span role="status">
          {errors > 0 ? (
            <Pill tone="bad">{counted(errors, 'error')}</Pill>
          ) : problems.length > 0 ? (
            <Pill tone="warn">{counted(problems.length, 'warning')}</Pill>
          ) : (
            <Pill tone="good">can be run</Pill>
          )}
        </span>
      }
    >
      <div class="code">
        <div class="gutter" ref={gutter} aria-hidden="true">
          {Array.from({ length: Math.min(lines, 20_000) }, (_, index) => {
            const problem = marked.get(index + 1);
            return (
              <span key={index} class={problem?.severity ?? ''}>
                {problem === undefined ? index + 1 : problem.severity === 'error' ? '✗' : '!'}
              </span>
            );
          })}
        </div>
        <textarea
          ref={area}
          aria-label="text of lvs.cf"
          spellcheck={false}
          wrap="off"
          readOnly={!mayChange()}
          value={text.value}
          onInput={(event) => setText(event.currentTarget.value)}
          onScroll={(event) => {
            if (gutter.current !== null) gutter.current.scrollTop = event.currentTarget.scrollTop;
          }}
        />
      </div>
      <ul class="problems">
        {problems.slice(0, SHOWN_PROBLEMS).map((problem) => (
          <li key={`${problem.line} ${problem.column} ${problem.code}`} class={problem.severity}>
            <button type="button" onClick={() => goTo(problem)}>
              <span aria-hidden="true">{problem.severity === 'error' ? '✗ ' : '! '}</span>
              {problem.line > 0 ? `line ${problem.line}: ` : ''}
              {problem.message}
            </button>
          </li>
        ))}
        {problems.length > SHOWN_PROBLEMS && <li>and {problems.length - SHOWN_PROBLEMS} more</li>}
      </ul>
    </Card>
  );
}
