/**
 * `piranha completion bash|zsh|fish`: a script for the shell, written from the table of verbs (verbs.ts).
 *
 * Words that are only known on the spot (incidents, what can be explained) are asked of the program when they are wanted;
 * everything else stands in the script, so that TAB starts nothing.
 */
import type { OptionSpec } from './options.ts';
import { COMPLETION, SHELLS } from './own-verbs.ts';
import { misuse, say, sayJson, type Verb, withOptions } from './verb.ts';
import { VERBS } from './verbs.ts';

type Shell = (typeof SHELLS)[number];

export const completionCommand = withOptions(
  'completion',
  COMPLETION,
  async ({ flags, rest: [word, ...more] }) => {
    const shell = SHELLS.find((known) => known === word);
    if (shell === undefined || more.length > 0)
      return misuse('completion', `which shell? ${SHELLS.join(', ')}`);
    const script = completionScript(shell);
    if (flags.has('json')) sayJson({ v: 1, shell, script });
    else say(script);
    return 0;
  },
  true,
);

export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}

/** Verbs called as `piranha VERB`; programs of old have a name of their own besides. */
const PROGRAMS = VERBS.filter(({ isProgram }) => isProgram).map(({ name }) => name);

function namesOf({ short, long }: OptionSpec): readonly string[] {
  return [...(short === undefined ? [] : [short]), ...long];
}

/** The words that may follow an option, as a pattern of its names and what to offer. */
function valuesOf(verb: Verb): readonly { readonly names: string; readonly spec: OptionSpec }[] {
  return Object.values(verb.options)
    .filter(({ value }) => value !== undefined)
    .map((spec) => ({ names: namesOf(spec).join('|'), spec }));
}

function bash(): string {
  const cases = VERBS.map((verb) => {
    const values = valuesOf(verb).map(({ names, spec }) => `${names}) ${bashValue(spec)} ;;`);
    const flags = Object.values(verb.options).flatMap(namesOf).join(' ');
    return [
      `    ${verb.name})`,
      ...(values.length === 0
        ? []
        : ['      case $before in', ...values.map((line) => `        ${line}`), '      esac']),
      `      flags='${flags}'`,
      ...bashArgument(verb),
      '      ;;',
    ].join('\n');
  });
  return `# bash completion for piranha; made by: piranha completion bash
_piranha() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  local verb=\${COMP_WORDS[0]##*/} flags= words= at=0
  COMPREPLY=()
  if [[ $verb == piranha ]]; then
    verb=\${COMP_WORDS[1]}
    at=1
  fi
  if (( COMP_CWORD == at && at == 1 )); then
    COMPREPLY=($(compgen -W '${VERBS.map(({ name }) => name).join(' ')}' -- "$word"))
    return
  fi
  case $verb in
${cases.join('\n')}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ $words == @files ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -o filenames -F _piranha piranha ${PROGRAMS.join(' ')}`;
}

/** What bash offers as the value of an option. */
function bashValue({ value = '', words }: OptionSpec): string {
  if (words !== undefined)
    return `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$word")); return`;
  if (value === 'DIR') return 'COMPREPLY=($(compgen -d -- "$word")); return';
  if (isPath(value)) return 'COMPREPLY=($(compgen -f -- "$word")); return';
  return 'return';
}

function isPath(value: string): boolean {
  return ['FILE', 'PATH', 'PROGRAM', 'DIR'].includes(value);
}

function bashArgument({ argument }: Verb): readonly string[] {
  if (argument === undefined) return [];
  switch (argument.kind) {
    case 'file':
      return ['      words=@files'];
    case 'words':
      return [`      words='${argument.words.join(' ')}'`];
    case 'printed':
      return [`      words=$(${argument.by} 2>/dev/null)`];
  }
}

function zsh(): string {
  const verbs = VERBS.map(({ name, summary }) => `    ${quote(`${name}:${plain(summary)}`)}`);
  const cases = VERBS.map((verb) => {
    const lines = [...Object.values(verb.options).flatMap(zshOption), ...zshArgument(verb)];
    return `    ${verb.name})\n      _arguments ${lines.join(' \\\n        ')}\n      ;;`;
  });
  return `#compdef piranha ${PROGRAMS.join(' ')}
# zsh completion for piranha; made by: piranha completion zsh
_piranha() {
  local verb=\${words[1]:t}
  local -a verbs
  verbs=(
${verbs.join('\n')}
  )
  if [[ $verb == piranha ]]; then
    if (( CURRENT == 2 )); then
      _describe verb verbs
      return
    fi
    shift words
    (( CURRENT-- ))
    verb=\${words[1]}
  fi
  case $verb in
${cases.join('\n')}
  esac
}
if [[ \${funcstack[1]} == _piranha ]]; then
  _piranha "$@"
else
  compdef _piranha piranha ${PROGRAMS.join(' ')}
fi`;
}

function zshOption(spec: OptionSpec): readonly string[] {
  const { value, words, help } = spec;
  return namesOf(spec).map((name) => {
    const about = `${name}[${plain(help)}]`;
    if (value === undefined) return quote(about);
    const offered = words === undefined ? (isPath(value) ? '_files' : '') : `(${words.join(' ')})`;
    return quote(`${about}:${value}:${offered}`);
  });
}

function zshArgument({ argument }: Verb): readonly string[] {
  if (argument === undefined) return [];
  switch (argument.kind) {
    case 'file':
      return [quote('*:file:_files')];
    case 'words':
      return [quote(`*:word:(${argument.words.join(' ')})`)];
    case 'printed':
      return [`"*:word:($(${argument.by} 2>/dev/null))"`];
  }
}

function fish(): string {
  const verbs = VERBS.map(
    ({ name, summary }) =>
      `complete -c piranha -n __fish_use_subcommand -f -a ${name} -d ${quote(plain(summary))}`,
  );
  const options = VERBS.flatMap((verb) => {
    const places = [`-c piranha -n '__fish_seen_subcommand_from ${verb.name}'`];
    if (verb.isProgram) places.push(`-c ${verb.name}`);
    return places.flatMap((place) => [
      ...Object.values(verb.options).map((spec) => `complete ${place} ${fishOption(spec)}`),
      ...fishArgument(verb).map((words) => `complete ${place} ${words}`),
    ]);
  });
  return ['# fish completion for piranha; made by: piranha completion fish', ...verbs, ...options]
    .join('\n')
    .trimEnd();
}

function fishOption({ short, long, value, words, help }: OptionSpec): string {
  const names = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...long.map((name) => `-l ${name.slice(2)}`),
  ];
  const offered = words === undefined ? '' : ` -f -a ${quote(words.join(' '))}`;
  const takes = value === undefined ? '' : ` -r${isPath(value) ? ' -F' : offered}`;
  return `${names.join(' ')}${takes} -d ${quote(plain(help))}`;
}

function fishArgument({ argument }: Verb): readonly string[] {
  if (argument === undefined) return ['-f'];
  switch (argument.kind) {
    case 'file':
      return ['-F'];
    case 'words':
      return [`-f -a ${quote(argument.words.join(' '))}`];
    case 'printed':
      return [`-f -a ${quote(`(${argument.by} 2>/dev/null)`)}`];
  }
}

/** Without what means something inside a description. */
function plain(text: string): string {
  return text.replace(/[[\]:'"`$\\]/g, ' ').replace(/ {2,}/g, ' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
