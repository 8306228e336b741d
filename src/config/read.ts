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
  type Places,
  SERVER_DIRECTIVES,
  type ServerDraft,
  VIRTUAL_DIRECTIVES,
  type VirtualDraft,
} from './directives.ts';
import type { Document, Statement, SyntaxFault, Word } from './document.ts';
import { type Place, type ProblemList, shorten, WHOLE_FILE } from './problem.ts';
import { nearest } from './suggest.ts';
import { type Lookups, ValueReader } from './values.ts';

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
    reader.read(line.statement, index + 1);
    if (problems.isFull || reader.isOverfull) break;
  }
  reader.finish();
  return reader;
}

type Statements = { readonly [K in Statement['kind']]: Extract<Statement, { kind: K }> };

class DocumentReader implements Drafts {
  readonly global: GlobalDraft = { places: new Map() };
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
        if (this.#skipped === 0) this.#directive(statement, line);
        return;
      case 'open':
        this.#open(statement, line);
        return;
      case 'close':
        this.#close(statement, line);
        return;
      case 'malformed':
        this.#malformed(statement, line);
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

  #directive({ key, values }: Statements['directive'], line: number): void {
    const place = { line, column: key.column, length: key.length };
    if (this.#server !== undefined) {
      this.#assign(SERVER_DIRECTIVES, this.#server, this.#server.places, key.text, place, values);
    } else if (this.#service !== undefined) {
      this.#assign(
        VIRTUAL_DIRECTIVES,
        this.#service,
        this.#service.places,
        key.text,
        place,
        values,
      );
    } else {
      this.#assign(GLOBAL_DIRECTIVES, this.global, this.global.places, key.text, place, values);
    }
  }

  #assign<D>(
    table: ReadonlyMap<string, Directive<D>>,
    draft: D,
    places: Places,
    key: string,
    place: Place,
    values: readonly Word[],
  ): void {
    const directive = table.get(key);
    if (directive === undefined) {
      this.#unknown(key, place, table.keys());
      return;
    }
    const before = places.get(key);
    if (before !== undefined) {
      this.#problems.warning(
        'repeated-directive',
        place,
        `\`${key}\` was set on line ${before.line} already; this line wins`,
      );
    }
    places.set(key, place);
    if (directive.unused !== undefined) {
      const message = `\`${key}\` has no effect: ${directive.unused}`;
      const isScsi = directive.unused.startsWith('shared SCSI');
      this.#problems.warning(isScsi ? 'unsupported' : 'unused-directive', place, message);
    }
    if (!this.#hasRightCount(directive, values, place)) return;
    this.#values.key = key;
    directive.read(values, this.#values, draft);
  }

  #hasRightCount<D>(directive: Directive<D>, values: readonly Word[], place: Place): boolean {
    if (directive.words === 'any' || values.length === directive.words) return true;
    const { key } = directive;
    const extra = values[directive.words];
    if (extra === undefined) {
      this.#problems.error(
        'missing-value',
        place,
        `\`${key}\` wants two values: an address and the device it is raised on`,
        `${key} = ${values[0]?.text ?? '198.51.100.100'} eth0:1`,
      );
      return false;
    }
    const isText = directive.strict.kind === 'text';
    this.#problems.error(
      'extra-value',
      this.#values.place(extra),
      isText
        ? `\`${key}\` takes one value; put a text with blanks into quotes`
        : `\`${key}\` takes ${directive.words === 1 ? 'one value' : 'two values'}; \`${shorten(extra.text)}\` is one too many`,
      isText ? `${key} = "${values.map((word) => word.text).join(' ')}"` : undefined,
    );
    return false;
  }

  #unknown(key: string, place: Place, known: Iterable<string>): void {
    const scope = this.#server ? 'server' : this.#service ? 'virtual' : 'global';
    const home = HOMES.find((candidate) => candidate.scope !== scope && candidate.table.has(key));
    if (home !== undefined) {
      this.#problems.error(
        'misplaced-directive',
        place,
        `\`${key}\` belongs ${home.where}, not ${HERE[scope]}`,
      );
      return;
    }
    const former = FORMER_KEYS.get(key);
    const near = former === undefined ? nearest(key, known) : undefined;
    const reason =
      former !== undefined
        ? `: ${former}`
        : near !== undefined
          ? `; did you mean \`${near}\`?`
          : '';
    this.#problems.error(
      'unknown-directive',
      place,
      `unknown directive \`${shorten(key)}\`${reason}`,
      near,
    );
  }

  #open({ keyword, name }: Statements['open'], line: number): void {
    if (this.#skipped > 0) {
      this.#skipped++;
      return;
    }
    const place = { line, column: name.column, length: name.length };
    const kind = keyword.text;
    if (++this.#sections > MAX_SECTIONS) {
      this.#tooManySections();
      return;
    }
    if (kind === 'server' && this.#service !== undefined && this.#server === undefined) {
      this.#server = {
        places: new Map(),
        name: name.text,
        place,
        defaultPort: this.#service.port ?? 80,
      };
      this.#service.servers.push(this.#server);
    } else if ((kind === 'virtual' || kind === 'failover') && this.#service === undefined) {
      this.#service = { places: new Map(), kind, name: name.text, place, servers: [] };
      this.services.push(this.#service);
    } else {
      this.#skipped = 1;
      this.#misplacedSection(keyword, line);
    }
  }

  #misplacedSection(keyword: Word, line: number): void {
    const place = { line, column: keyword.column, length: keyword.length };
    const kind = keyword.text;
    if (kind === 'server' || kind === 'virtual' || kind === 'failover') {
      const message =
        kind !== 'server'
          ? `a \`${kind}\` section cannot stand inside another section; is a \`}\` missing before it?`
          : this.#server === undefined
            ? 'a `server` section stands inside a `virtual` or `failover` section'
            : 'a `server` section cannot stand inside another one; is a `}` missing before it?';
      this.#problems.error('misplaced-section', place, message);
      return;
    }
    const near = nearest(kind, ['virtual', 'failover', 'server']);
    this.#problems.error(
      'section-syntax',
      place,
      near === undefined
        ? `unknown section \`${shorten(kind)}\`; there are virtual, failover and server`
        : `unknown section \`${shorten(kind)}\`; did you mean \`${near}\`?`,
      near,
    );
  }

  #tooManySections(): void {
    this.isOverfull = true;
    this.#service = undefined;
    this.#server = undefined;
    this.#problems.error(
      'too-many-sections',
      WHOLE_FILE,
      `more than ${MAX_SECTIONS} sections; the rest is not read`,
    );
  }

  #close({ column, rest }: Statements['close'], line: number): void {
    if (rest !== undefined) {
      this.#problems.warning(
        'ignored-text',
        { line, column: rest.column, length: rest.length },
        'text after `}` is ignored; put it on a line of its own',
      );
    }
    if (this.#skipped > 0) this.#skipped--;
    else if (this.#server !== undefined) this.#server = undefined;
    else if (this.#service !== undefined) this.#service = undefined;
    else {
      this.#problems.error(
        'unexpected-close',
        { line, column, length: 1 },
        '`}` closes nothing here',
      );
    }
  }

  #malformed({ fault, column, length, key }: Statements['malformed'], line: number): void {
    if (this.#skipped > 0) return;
    const { message, suggestion } = explainFault(fault, shorten(key?.text ?? ''));
    this.#problems.error(fault, { line, column, length }, message, suggestion);
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
