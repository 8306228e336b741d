/** Help as text: of the whole command line, and of one verb. Made of the table (verbs.ts), nothing else. */
import { optionsHelp } from './options.ts';
import { HELP_OF_HELP } from './own-verbs.ts';
import { GROUPS, misuse, say, sayJson, USAGE, type Verb, withOptions } from './verb.ts';
import { findVerb, VERBS } from './verbs.ts';

const WIDTH = 78;

export function helpText(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length)) + 2;
  const chapters = GROUPS.flatMap((group) => {
    const rows = VERBS.filter((verb) => verb.group === group);
    return [
      '',
      `${group}:`,
      ...rows.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    ];
  });
  return [
    'Usage: piranha VERB [OPTION...]',
    ...chapters,
    '',
    'piranha VERB --help tells the options of a verb.',
  ].join('\n');
}

export function verbHelp({ name, usage, about, options, exits, isProgram }: Verb): string {
  const call = isProgram ? name : `piranha ${name}`;
  const isPlain = exits === undefined;
  return [
    `Usage: ${call} ${usage}`,
    '',
    ...wrap(about),
    '',
    optionsHelp(options),
    '',
    `Exit code: ${isPlain ? '0 done, 1 not' : exits}${isProgram ? '' : `; ${USAGE} called wrongly`}.`,
  ].join('\n');
}

/** Lines of at most 78 characters. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export const helpCommand = withOptions(
  'help',
  HELP_OF_HELP,
  async ({ flags, rest: [word, ...more] }) => {
    if (more.length > 0) return misuse('help', `unexpected argument ${more[0]}`);
    const verb = word === undefined ? undefined : findVerb(word);
    if (word !== undefined && verb === undefined) return misuse('help', `there is no verb ${word}`);
    if (flags.has('json')) sayJson({ v: 1, verbs: (verb === undefined ? VERBS : [verb]).map(row) });
    else if (verb?.hasOwnHelp) return (await verb.load())(['--help']);
    else say(verb === undefined ? helpText() : verbHelp(verb));
    return 0;
  },
  true,
);

/** A verb as data, for programs that build menus or completions of their own. */
function row({ name, group, summary, usage, about, exits, options }: Verb): object {
  return { name, group, summary, usage, about, exits, options: Object.values(options) };
}
