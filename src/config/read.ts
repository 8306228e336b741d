/**
 * Reads a document into drafts: every directive typed and put into its section, every problem of a single line told.
 * What only the whole file shows (a deadtime below the keepalive, two services with one name) is for
 * cross-checks.ts; defaults are filled in by settings.ts.
 */
import { unreachable } from '../base/index.ts';
import {
  type Directive,
  FORMER_KEYS,
  GLOBAL_DIRECTIVES,
  type GlobalDraft,
  SERVER_DIRECTIVES,
  type ServerDraft,
  SHARED_SCSI,
  VIRTUAL_DIRECTIVES,
  type VirtualDraft,
} from './directives.ts';
import {
  type Document,
  parseStatement,
  type Statement,
  type SyntaxFault,
  type Word,
} from './document.ts';
import { Places, type ProblemList, shorten, WHOLE_FILE } from './problem.ts';
import { nearest } from './suggest.ts';
import { hasControlCharacter, type Lookups, ValueReader } from './values.ts';

export type Drafts = {
  readonly global: GlobalDraft;
  /** In the order of the file, `virtual` and `failover` together. */
  readonly services: readonly VirtualDraft[];
};

/** Sections of both levels in one file: four times the largest table the project promises to hold. */
export const MAX_SECTIONS = 500_000;

/** Reads every line, whatever is wrong with those before it. */
export function readDocument(document: Document, problems: ProblemList, lookups: Lookups): Drafts {
  const reader = new DocumentReader(problems, lookups);
  for (const [index, line] of document.lines.entries()) {
    reader.read(parseStatement(line), index + 1);
    if (problems.isFull || reader.isOverfull) break;
  }
  reader.finish();
  return reader;
}

type Statements = { readonly [K in Statement['kind']]: Extract<Statement, { kind: K }> };

class DocumentReader implements Drafts {
  readonly global: GlobalDraft = { places: new Places() };
  readonly services: VirtualDraft[] = [];
  isOverfull = false;
  readonly #problems: ProblemList;
  readonly #values: ValueReader;
  #service: VirtualDraft | undefined;
  #server: ServerDraft | undefined;
  /** Depth of sections that could not be understood and are passed over to their closing brace. */
  #skipped = 0;
  #sections = 0;

  constructor(problems: ProblemList, lookups: Lookups) {
    this.#problems = problems;
    this.#values = new ValueReader(problems, lookups);
  }

  read(statement: Statement, line: number): void {
    this.#values.line = line;
    switch (statement.kind) {
      case 'blank':
        return;
      case 'directive':
        if (this.#skipped === 0) this.#directive(statement);
        return;
      case 'open':
        this.#open(statement);
        return;
      case 'close':
        this.#close(statement);
        return;
      case 'malformed':
        this.#malformed(statement);
        return;
      default:
        unreachable(statement);
    }
  }

  finish(): void {
    const open = this.#server ?? this.#service;
    if (open === undefined) return;
    this.#problems.warning(
      'unclosed-section',
      open.place,
      `the section \`${open.name}\` is never closed; the file ends inside it`,
      '}',
    );
  }

  #directive({ key, values }: Statements['directive']): void {
    if (this.#server !== undefined) {
      this.#assign(SERVER_DIRECTIVES, this.#server, key, values);
    } else if (this.#service !== undefined) {
      this.#assign(VIRTUAL_DIRECTIVES, this.#service, key, values);
    } else {
      this.#assign(GLOBAL_DIRECTIVES, this.global, key, values);
    }
  }

  #assign<D extends { readonly places: Places }>(
    table: ReadonlyMap<string, Directive<D>>,
    draft: D,
    word: Word,
    values: readonly Word[],
  ): void {
    const directive = table.get(word.text);
    if (directive === undefined) {
      this.#unknown(word, [...table.keys()]);
      return;
    }
    const { key } = directive;
    const before = draft.places.get(key);
    if (before !== undefined) {
      const message = `\`${key}\` was set on line ${before.line} already; this line wins`;
      this.#values.warn(word, 'repeated-directive', message);
    }
    draft.places.set(key, this.#values.line, word.column);
    if (directive.unused !== undefined) {
      const code = directive.unused === SHARED_SCSI ? 'unsupported' : 'unused-directive';
      this.#values.warn(word, code, `\`${key}\` has no effect: ${directive.unused}`);
    }
    if (!this.#hasRightCount(directive, values, word)) return;
    this.#values.key = key;
    directive.read(values, this.#values, draft);
  }

  #hasRightCount<D>(directive: Directive<D>, values: readonly Word[], word: Word): boolean {
    if (directive.words === 'any' || values.length === directive.words) return true;
    const { key } = directive;
    const extra = values[directive.words];
    const isText = directive.strict.kind === 'text';
    if (extra === undefined) {
      this.#values.fail(
        word,
        'missing-value',
        `\`${key}\` wants two values: an address and the device it is raised on`,
        `${key} = ${values[0]?.text ?? '198.51.100.100'} eth0:1`,
      );
    } else if (isText) {
      this.#values.fail(
        extra,
        'extra-value',
        `\`${key}\` takes one value; put a text with blanks into quotes`,
        `${key} = "${values.map(({ text }) => text).join(' ')}"`,
      );
    } else {
      const count = directive.words === 1 ? 'one value' : 'two values';
      const message = `\`${key}\` takes ${count}; \`${shorten(extra.text)}\` is one too many`;
      this.#values.fail(extra, 'extra-value', message);
    }
    return false;
  }

  #unknown(word: Word, known: readonly string[]): void {
    const key = word.text;
    const scope = this.#server ? 'server' : this.#service ? 'virtual' : 'global';
    const home = HOMES.find((candidate) => candidate.scope !== scope && candidate.table.has(key));
    if (home !== undefined) {
      const message = `\`${key}\` belongs ${home.where}, not ${HERE[scope]}`;
      this.#values.fail(word, 'misplaced-directive', message);
      return;
    }
    const former = FORMER_KEYS.get(key);
    const near = former === undefined ? nearest(key, known) : undefined;
    const why = former === undefined ? '' : `: ${former}`;
    const hint = near === undefined ? why : `; did you mean \`${near}\`?`;
    const message = `unknown directive \`${shorten(key)}\`${hint}`;
    this.#values.fail(word, 'unknown-directive', message, near);
  }

  #open({ keyword, name }: Statements['open']): void {
    if (this.#skipped > 0) {
      this.#skipped++;
      return;
    }
    if (++this.#sections > MAX_SECTIONS) {
      this.#tooManySections();
      return;
    }
    if (hasControlCharacter(name.text)) {
      const message = 'a name of a section holds a control character';
      this.#values.fail(name, 'stray-control-character', message);
    }
    const kind = keyword.text;
    const section = { places: new Places(), name: name.text, place: this.#values.place(name) };
    if (kind === 'server' && this.#service !== undefined && this.#server === undefined) {
      this.#server = { ...section, defaultPort: this.#service.port ?? 80 };
      this.#service.servers.push(this.#server);
    } else if ((kind === 'virtual' || kind === 'failover') && this.#service === undefined) {
      this.#service = { ...section, kind, servers: [] };
      this.services.push(this.#service);
    } else {
      this.#skipped = 1;
      this.#misplacedSection(keyword);
    }
  }

  #misplacedSection(keyword: Word): void {
    const kind = keyword.text;
    if (kind === 'server') {
      const message =
        this.#server === undefined
          ? 'a `server` section stands inside a `virtual` or `failover` section'
          : 'a `server` section cannot stand inside another one; is a `}` missing before it?';
      this.#values.fail(keyword, 'misplaced-section', message);
    } else if (kind === 'virtual' || kind === 'failover') {
      const message = `a \`${kind}\` section cannot stand inside another section; is a \`}\` missing before it?`;
      this.#values.fail(keyword, 'misplaced-section', message);
    } else {
      const near = nearest(kind, ['virtual', 'failover', 'server']);
      const hint =
        near === undefined ? 'there are virtual, failover and server' : `did you mean \`${near}\`?`;
      const message = `unknown section \`${shorten(kind)}\`; ${hint}`;
      this.#values.fail(keyword, 'section-syntax', message, near);
    }
  }

  #tooManySections(): void {
    this.isOverfull = true;
    this.#service = undefined;
    this.#server = undefined;
    const message = `more than ${MAX_SECTIONS} sections; the rest is not read`;
    this.#problems.error('too-many-sections', WHOLE_FILE, message);
  }

  #close({ column, rest }: Statements['close']): void {
    if (rest !== undefined) {
      const message = 'text after `}` is ignored; put it on a line of its own';
      this.#values.warn(rest, 'ignored-text', message);
    }
    if (this.#skipped > 0) this.#skipped--;
    else if (this.#server !== undefined) this.#server = undefined;
    else if (this.#service !== undefined) this.#service = undefined;
    else {
      const place = { line: this.#values.line, column, length: 1 };
      this.#problems.error('unexpected-close', place, '`}` closes nothing here');
    }
  }

  #malformed({ fault, column, length, key }: Statements['malformed']): void {
    if (this.#skipped > 0) return;
    const { message, suggestion } = explainFault(fault, shorten(key?.text ?? ''));
    const place = { line: this.#values.line, column, length };
    this.#problems.error(fault, place, message, suggestion);
  }
}

function explainFault(
  fault: SyntaxFault,
  name: string,
): { readonly message: string; readonly suggestion?: string } {
  switch (fault) {
    case 'unclosed-quote':
      return { message: 'a quote is opened here and never closed' };
    case 'text-after-quote':
      return {
        message:
          'text follows a closing quote without a blank between; a quote cannot be escaped, use the other kind outside',
      };
    case 'missing-value':
      return { message: `\`${name}\` has no value` };
    case 'missing-equals':
      return {
        message:
          name === '' ? '`=` without a directive before it' : `\`=\` expected after \`${name}\``,
      };
    case 'section-syntax':
      return {
        message: 'a section begins with its kind, its name and `{`, on one line and nothing else',
        suggestion: `${/^(virtual|failover|server)/.exec(name)?.[0] ?? 'virtual'} NAME {`,
      };
    default:
      return unreachable(fault);
  }
}

const HERE = {
  global: 'outside of every section',
  virtual: 'directly in a `virtual` section',
  server: 'in a `server` section',
} as const;

const HOMES = [
  { scope: 'global', table: GLOBAL_DIRECTIVES, where: 'outside of every section' },
  { scope: 'virtual', table: VIRTUAL_DIRECTIVES, where: 'into a `virtual` section' },
  { scope: 'server', table: SERVER_DIRECTIVES, where: 'into a `server` section' },
] as const;
