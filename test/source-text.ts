/**
 * Splits TypeScript source into what the compiler reads and what people read, keeping every position: `code` has
 * comments and the insides of strings blanked out, `comments` has everything else blanked out.
 *
 * A scanner of characters, not a parser: the laws ask only which words stand in the code. Rejected: the compiler's own
 * scanner, which the native compiler does not offer to scripts.
 */

export type SourceText = { readonly code: string; readonly comments: string };

export function splitSource(text: string): SourceText {
  const kinds = new Array<'code' | 'comment' | 'string'>(text.length).fill('code');
  const paint = (from: number, to: number, kind: 'comment' | 'string') => {
    kinds.fill(kind, from, Math.min(to, text.length));
    return to;
  };
  /** One entry for each `${` that is open: the depth of braces inside it. */
  const templates: number[] = [];
  let at = 0;
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? '';
    if (two === '//') at = paint(at, endOf(text, at, '\n'), 'comment');
    else if (two === '/*') at = paint(at, endOf(text, at + 2, '*/') + 2, 'comment');
    else if (one === '/' && startsRegex(text, at, kinds)) {
      at = paint(at, endOfRegex(text, at), 'string');
    } else if (one === "'" || one === '"') {
      const end = endOfQuoted(text, at, one);
      paint(at + 1, end - 1, 'string');
      at = end;
    } else if (one === '`') at = template(at + 1);
    else if (one === '{' && templates.length > 0) {
      templates.push((templates.pop() ?? 0) + 1);
      at++;
    } else if (one === '}' && templates.length > 0) {
      const depth = templates.pop() ?? 0;
      if (depth > 0) templates.push(depth - 1);
      at = depth > 0 ? at + 1 : template(at + 1);
    } else at++;
  }
  return { code: show('code'), comments: show('comment') };

  /** Paints template text from `from` up to the closing backtick or the next `${`; gives where to go on. */
  function template(from: number): number {
    for (let end = from; end < text.length; end++) {
      if (text[end] === '\\') end++;
      else if (text[end] === '`') return paint(from, end, 'string') + 1;
      else if (text.startsWith('${', end)) {
        templates.push(0);
        return paint(from, end, 'string') + 2;
      }
    }
    return text.length;
  }

  function show(kind: 'code' | 'comment'): string {
    return Array.from({ length: text.length }, (_, index) => {
      const character = text[index] ?? '';
      return character === '\n' || kinds[index] === kind ? character : ' ';
    }).join('');
  }
}

function endOf(text: string, from: number, closing: string): number {
  const found = text.indexOf(closing, from);
  return found < 0 ? text.length : found;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}

function endOfRegex(text: string, from: number): number {
  let isInClass = false;
  for (let at = from + 1; at < text.length && text[at] !== '\n'; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === '[') isInClass = true;
    else if (character === ']') isInClass = false;
    else if (character === '/' && !isInClass) return at + 1;
  }
  return from + 1;
}

/** A slash begins a regular expression where a value is expected, and divides after one. */
function startsRegex(text: string, slash: number, kinds: readonly string[]): boolean {
  let at = slash - 1;
  while (at >= 0 && (/\s/.test(text[at] ?? '') || kinds[at] === 'comment')) at--;
  if (at < 0) return true;
  const word = /[\w$]+$/.exec(text.slice(Math.max(0, at - 12), at + 1))?.[0];
  if (word !== undefined) return /^(return|typeof|case|in|of|void|delete|await|yield)$/.test(word);
  return !/[)\]}"'`]/.test(text[at] ?? '');
}
