/**
 * `piranha man piranha.8`: the man pages, as mdoc source, written from the table of verbs (verbs.ts) and from the tables
 * of docs/: what help and the documents say, the man page says. `piranha man piranha.8 | man -l -` shows one.
 *
 * Source: mdoc(7), checked by `mandoc -T lint`.
 */
import { tablesOf } from '../base/index.ts';
import { documentText } from './documents.ts';
import type { OptionSpec, OptionTable } from './options.ts';
import { MAN, MAN_PAGES } from './own-verbs.ts';
import { GROUPS, misuse, say, sayJson, type Verb, withOptions } from './verb.ts';
import { findVerb, VERBS } from './verbs.ts';
import { versionDate } from './version-text.ts';

/** Of a line of the source. */
const WIDTH = 78;

type Page = (typeof MAN_PAGES)[number];

export const manCommand = withOptions(
  'man',
  MAN,
  async ({ flags, rest: [word, ...more] }) => {
    const page = MAN_PAGES.find((known) => known === word);
    if (page === undefined || more.length > 0)
      return misuse('man', `which page? ${MAN_PAGES.join(', ')}`);
    const text = manPage(page);
    if (flags.has('json')) sayJson({ v: 1, page, text });
    else say(text);
    return 0;
  },
  true,
);

export function manPage(page: Page): string {
  const pages: Record<Page, () => readonly string[]> = {
    'piranha.8': piranhaPage,
    'pulse.8': pulsePage,
    'lvs.cf.5': lvsPage,
    'piranha-protocol.7': protocolPage,
  };
  return `${pages[page]().join('\n')}\n`;
}

function head(title: string, section: number, name: string, about: string): readonly string[] {
  const [year, month, day] = versionDate().split('-');
  const months = [
    ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
    ...['August', 'September', 'October', 'November', 'December'],
  ];
  return [
    `.Dd ${months[Number(month) - 1]} ${Number(day)}, ${year}`,
    `.Dt ${title} ${section}`,
    '.Os',
    '.Sh NAME',
    `.Nm ${name}`,
    `.Nd ${text(about)}`,
  ];
}

function piranhaPage(): readonly string[] {
  return [
    ...head('PIRANHA', 8, 'piranha', 'a pair of directors for Linux Virtual Server'),
    '.Sh SYNOPSIS',
    '.Nm',
    '.Ar VERB',
    '.Op Ar OPTION ...',
    '.Sh DESCRIPTION',
    'One program with a verb for each task.',
    'Text for people; programs ask with',
    '.Fl -json .',
    'Colour is used on a terminal only, and not where',
    '.Ev NO_COLOR',
    'is set.',
    ...GROUPS.flatMap((group) => [
      `.Ss ${group}`,
      // No paragraph of its own after a heading.
      ...VERBS.filter((verb) => verb.group === group)
        .flatMap(verbPart)
        .slice(1),
    ]),
    '.Sh FILES',
    '.Bl -tag -width Ds',
    '.It Pa /etc/sysconfig/ha/lvs.cf',
    'The configuration, the same on both nodes; see',
    '.Xr lvs.cf 5 .',
    '.It Pa /run/piranha',
    'Sockets, pid file and recordings of incidents.',
    '.El',
    '.Sh EXIT STATUS',
    'Each verb names its own above; without such a line 0 is done and 1 is not.',
    'Called wrongly, a verb exits with 64 and one sentence.',
    'Queries keep the order of monitoring plugins:',
    '0 healthy, 1 degraded, 2 critical, 3 unknown.',
    '.Sh SEE ALSO',
    '.Xr lvs.cf 5 ,',
    '.Xr piranha-protocol 7 ,',
    '.Xr ipvsadm 8 ,',
    '.Xr pulse 8',
  ];
}

function verbPart(verb: Verb): readonly string[] {
  const usage = verb.usage
    .replace(/ ?\[OPTION\.\.\.\]/, '')
    .split(' ')
    .filter((word) => word !== '');
  const words = usage.length === 0 ? '' : ` ${usage.map(argument).join(' ')}`;
  return [
    '.Pp',
    `.Ic ${verb.name}${words}`,
    '.Bd -filled -offset indent -compact',
    ...prose(closed(verb.summary)),
    ...prose(verb.about),
    ...(verb.exits === undefined ? [] : prose(`Exit status: ${verb.exits}.`)),
    ...optionList(verb.options),
    '.Ed',
  ];
}

/** A bracket at its end would be taken for punctuation of the sentence. */
function argument(word: string): string {
  return `Ar ${text(word)}${/[\])]$/.test(word) ? '\\&' : ''}`;
}

function optionList(options: OptionTable): readonly string[] {
  const specs = Object.values(options);
  return [
    '.Bl -tag -width Ds -compact',
    ...specs.flatMap((spec) => [`.It ${flags(spec)}`, ...prose(closed(spec.help))]),
    '.El',
  ];
}

/** `Fl c Ar FILE , Fl -configfile Ar FILE`. A dash belongs to the macro. */
function flags({ short, long, value }: OptionSpec): string {
  const names = [...(short === undefined ? [] : [short]), ...long];
  return names
    .map((name) => {
      const word = text(name.slice(1)).replaceAll('-', '\\-').replace(/^\\-/, '-');
      return `Fl ${word}${value === undefined ? '' : ` Ar ${text(value)}`}`;
    })
    .join(' , ');
}

function pulsePage(): readonly string[] {
  const pulse = findVerb('pulse');
  const signals: readonly (readonly [string, string])[] = [
    ['TERM', 'The VIPs are released, then the partner is told and takes over at once.'],
    ['HUP', 'The configuration is read again; a bad file changes nothing.'],
  ];
  return [
    ...head('PULSE', 8, 'pulse', 'the director daemon of Piranha'),
    '.Sh SYNOPSIS',
    '.Nm',
    '.Op Ar OPTION ...',
    '.Sh DESCRIPTION',
    ...prose(pulse?.about ?? ''),
    'It takes the options of piranha 0.8.6.',
    '.Pp',
    ...optionList(pulse?.options ?? {}),
    '.Pp',
    'Signals:',
    '.Bl -tag -width Ds -compact',
    ...signals.flatMap(([name, about]) => [`.It Dv SIG${name}`, ...prose(about)]),
    '.El',
    '.Sh EXIT STATUS',
    ...prose(closed(pulse?.exits ?? '')),
    '.Sh SEE ALSO',
    '.Xr lvs.cf 5 ,',
    '.Xr piranha-protocol 7 ,',
    '.Xr piranha 8',
  ];
}

function lvsPage(): readonly string[] {
  const page = documentText('lvs.cf.md');
  const example = page.split('```')[1]?.trim() ?? '';
  const chapters = tablesOf(page).filter(({ head: [first] }) => first === 'Directive');
  return [
    ...head('LVS.CF', 5, 'lvs.cf', 'configuration of a pair of directors'),
    '.Sh DESCRIPTION',
    'The same file on both nodes, by default',
    '.Pa /etc/sysconfig/ha/lvs.cf .',
    'A line holds one directive, the opening of a section or its closing brace.',
    'Comments begin with',
    '.Sq # .',
    '.Xr piranha 8',
    '.Ic check',
    'judges a file.',
    '.Bd -literal -offset indent',
    ...example.split('\n').map(literal),
    '.Ed',
    ...chapters.flatMap(({ chapter, rows }) => [
      `.Ss ${text(chapter)}`,
      '.Bl -tag -width Ds',
      ...rows.flatMap(([key = '', value = '', byDefault = '', since = '', meaning = '']) => [
        `.It Ic ${text(key)}`,
        ...prose(meaning),
        ...prose(`Value: ${value}.`),
        ...(byDefault === '-' ? [] : prose(`Default: ${byDefault}.`)),
        ...(since === 'ours' ? ['Not known to piranha 0.8.6.'] : []),
      ]),
      '.El',
    ]),
    '.Sh SEE ALSO',
    '.Xr ipvsadm 8 ,',
    '.Xr piranha 8 ,',
    '.Xr pulse 8',
  ];
}

/** The prose and the tables of docs/protocol.md; drawings as they stand. */
function protocolPage(): readonly string[] {
  return [
    ...head('PIRANHA-PROTOCOL', 7, 'piranha-protocol', 'heartbeats between two directors'),
    ...markdown(documentText('protocol.md')),
    '.Sh SEE ALSO',
    '.Xr lvs.cf 5 ,',
    '.Xr piranha 8 ,',
    '.Xr pulse 8',
  ];
}

/** The little of Markdown that our documents use: headings, paragraphs, lists, tables, blocks. */
function markdown(source: string): readonly string[] {
  const lines: string[] = ['.Sh DESCRIPTION'];
  let isFenced = false;
  let waiting = false;
  for (const line of source.split('\n')) {
    if (line.startsWith('```')) {
      lines.push(isFenced ? '.Ed' : '.Bd -literal -offset indent');
      isFenced = !isFenced;
      waiting = false;
    } else if (isFenced) lines.push(literal(line));
    else if (line.startsWith('# ')) waiting = false;
    else if (line.startsWith('#')) {
      lines.push(`.Ss ${text(line.replace(/^#+ /, ''))}`);
      waiting = false;
    } else if (line === '') waiting = true;
    else if (/^\|[-| ]+\|$/.test(line)) continue;
    else {
      const isItem = /^([-*|]|\d+\.) ?/.test(line);
      const previous = lines.at(-1) ?? '';
      const isFresh = /^\.(Ss|Sh|Ed)/.test(previous) && !previous.startsWith('.Ed');
      if ((waiting || isItem) && !isFresh) lines.push('.Pp');
      lines.push(...prose(line.replace(/^\| ?|\| ?$/g, '').replaceAll(' | ', '; ')));
      waiting = false;
    }
  }
  return lines;
}

/** Sentences, each on lines of its own and none longer than a terminal, as mdoc wants them. */
function prose(source: string): readonly string[] {
  return bare(source)
    .split(/(?<=\S\S[.!?][)"']?) +(?=\S)/)
    .flatMap((sentence) => wrap(escaped(sentence)).map(guarded));
}

function wrap(sentence: string): readonly string[] {
  const lines: string[] = [];
  for (const word of sentence.trim().split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.filter((line) => line !== '');
}

/** With a capital in front and a full stop behind. */
function closed(source: string): string {
  const first = source.slice(0, 1).toUpperCase() + source.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Markdown's marks away, roff's own characters made harmless. */
function text(source: string): string {
  return literal(bare(source)).trim();
}

function bare(source: string): string {
  return source
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replace(/(^|[\s(])\*([^*]+)\*/g, '$1$2')
    .replaceAll('`', '');
}

function literal(line: string): string {
  return guarded(escaped(line));
}

function escaped(line: string): string {
  return line
    .replaceAll('\\', '\\e')
    .replaceAll('"', '\\(dq')
    .replace(/[^\x20-\x7e]/g, (character) => `\\[u${hex(character)}]`);
}

/** A line that begins so would be a macro. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
