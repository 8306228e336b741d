/** Small parts that every page uses: a state as mark, word and colour; a card; a dialog that asks; what was just said. */
import { type Signal, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { MARKS, type Tone } from './monitor.ts';

/** Never colour alone: the mark is text, too. */
export function Pill({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`pill ${tone}`}>
      <span aria-hidden="true">{MARKS[tone]} </span>
      {children}
    </span>
  );
}

export function Card(props: {
  title: string;
  class?: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class={`card ${props.class ?? ''}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

/** Its words, and how it is set: `n` for numbers, `wide` for what a phone leaves out. */
export type Column = string | readonly [words: string, kind: 'n' | 'wide'];

/** `children`: its rows. */
export function Table(props: { columns: readonly Column[]; children: ComponentChildren }) {
  const columns = props.columns.map((it) => (typeof it === 'string' ? ([it, ''] as const) : it));
  return (
    <table>
      <thead>
        <tr>
          {columns.map(([words, kind]) => (
            <th key={words} scope="col" class={kind}>
              {words}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{props.children}</tbody>
    </table>
  );
}

/** The name of a row, which opens or chooses it. */
export function NameCell(props: {
  name: string | number;
  /** Where the name alone says too little to who hears it. */
  label?: string;
  /** Of a list in which one is chosen. */
  isChosen?: boolean;
  onOpen: () => void;
}) {
  const { name, label, isChosen, onOpen } = props;
  return (
    <th scope="row">
      <button type="button" aria-label={label} aria-pressed={isChosen} onClick={onOpen}>
        {name}
      </button>
    </th>
  );
}

export type Notice = { readonly tone: Tone; readonly text: string };
const notice = signal<Notice | undefined>(undefined);
let timer: ReturnType<typeof setTimeout> | undefined;

/** Said once, read aloud, gone after a while; trouble stays until it is dismissed. */
export function say(tone: Tone, text: string): void {
  notice.value = { tone, text };
  clearTimeout(timer);
  if (tone !== 'bad') {
    timer = setTimeout(() => {
      notice.value = undefined;
    }, 6000);
  }
}

export function Notices() {
  const said = notice.value;
  return (
    <div class="notices" role="status">
      {said !== undefined && (
        <p class={`notice ${said.tone}`}>
          <span>
            <span aria-hidden="true">{MARKS[said.tone]} </span>
            {said.text}
          </span>
          <button
            type="button"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            dismiss
          </button>
        </p>
      )}
    </div>
  );
}

/** Gives a text as a file; it is made when it is asked for. */
export function Download(props: { name: string; text: () => string; label: string }) {
  const { name, text, label } = props;
  const save = (): void => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text()], { type: 'text/plain' }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return (
    <button type="button" onClick={save}>
      {label}
    </button>
  );
}

/** Words and one switch above a list. */
export function Filter(props: {
  about: string;
  words: Signal<string>;
  toggle: { readonly about: string; readonly isOn: Signal<boolean> };
}) {
  const { about, words, toggle } = props;
  return (
    <p class="filter">
      <label>
        <span class="unseen">{about}</span>
        <input
          type="search"
          placeholder="filter"
          value={words.value}
          onInput={(event) => {
            words.value = event.currentTarget.value;
          }}
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={toggle.isOn.value}
          onChange={(event) => {
            toggle.isOn.value = event.currentTarget.checked;
          }}
        />{' '}
        {toggle.about}
      </label>
    </p>
  );
}

/** A modal question. `onClose` without a word when it is left by Escape. */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => {
      isGone.current = true;
      // The browser gives the focus back to where it was, whoever ends the question.
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.class ?? ''}
      aria-label={props.title}
      onClose={() => {
        // Another question may stand in its place already.
        if (!isGone.current) props.onClose();
      }}
    >
      <header>
        <h2>{props.title}</h2>
        <button type="button" onClick={() => ref.current?.close()}>
          close
        </button>
      </header>
      {props.children}
    </dialog>
  );
}
