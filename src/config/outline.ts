/** Where the sections of a document begin and end, and which line sets what: the map that edits go by. */
import { type Document, parseStatement } from './document.ts';

/** A directive's line, by index from 0. */
export type Setting = { readonly key: string; readonly line: number };

export type Section = {
  readonly kind: string;
  readonly name: string;
  /** Line indexes from 0; `close` is the number of lines when the file ends first. */
  readonly open: number;
  readonly close: number;
  readonly settings: readonly Setting[];
  readonly sections: readonly Section[];
};

type Growing = {
  kind: string;
  name: string;
  open: number;
  close: number;
  settings: Setting[];
  sections: Growing[];
};

/** The whole file as a section without a name: `open` is -1. Lines that cannot be read are in no section's settings. */
export function outline(document: Document): Section {
  const end = document.lines.length;
  const root: Growing = { kind: '', name: '', open: -1, close: end, settings: [], sections: [] };
  const stack: Growing[] = [root];
  for (const [line, text] of document.lines.entries()) {
    const here = stack.at(-1) ?? root;
    const statement = parseStatement(text);
    if (statement.kind === 'directive') {
      here.settings.push({ key: statement.key.text, line });
    } else if (statement.kind === 'open') {
      const section: Growing = {
        kind: statement.keyword.text,
        name: statement.name.text,
        open: line,
        close: end,
        settings: [],
        sections: [],
      };
      here.sections.push(section);
      stack.push(section);
    } else if (statement.kind === 'close' && stack.length > 1) {
      here.close = line;
      stack.pop();
    }
  }
  return root;
}
