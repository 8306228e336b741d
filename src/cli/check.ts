/**
 * `piranha check [FILE]`: is this lvs.cf right, or the installed one? Every problem with its line quoted and a caret under
 * it, warnings included; `--strict` asks instead whether Piranha 0.8.6 would take the file, `--json` is for programs.
 *
 * Exit code 0: it can be run (warnings or not). 1: it cannot, or cannot be read.
 */
import {
  type Lookups,
  type Problem,
  parseSettings,
  strictVerdict,
  type Verdict,
} from '../config/index.ts';
import { CHECK } from './file-verbs.ts';
import { commandOf, decodeText, type Outcome, type World } from './files-on-disk.ts';
import { readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { USAGE } from './verb.ts';

export function runCheck(argv: readonly string[], world: World): Outcome {
  const parsed = readOptions(argv, CHECK);
  if (!parsed.ok) return misuse(parsed.error);
  const { flags, rest } = parsed.value;
  const [file = DEFAULT_CONFIG_FILE, ...more] = rest;
  if (more.length > 0) return misuse(`one file at a time; unexpected argument ${more[0]}`);
  const bytes = world.read(file);
  if (!bytes.ok) {
    return { stdout: '', stderr: `${file}: cannot be read: ${bytes.error}\n`, exitCode: 1 };
  }
  const { text } = decodeText(bytes.value);
  const verdict = flags.has('strict')
    ? strictly(text, file, world.names)
    : parseSettings(text, { ...world.names, file });
  const counts = count(verdict.problems);
  const lines = text.split('\n');
  const stdout = flags.has('json')
    ? `${JSON.stringify({ v: 1, file, isStrict: flags.has('strict'), ...counts, problems: verdict.problems }, undefined, 2)}\n`
    : [
        ...verdict.problems.map((problem) => problemText(problem, lines)),
        summary(file, verdict),
      ].join('');
  return { stdout, stderr: '', exitCode: counts.errors > 0 ? 1 : 0 };
}

export const checkCommand = commandOf(runCheck);

function misuse(why: string): Outcome {
  return {
    stdout: '',
    stderr: `piranha check: ${why}; try piranha check --help\n`,
    exitCode: USAGE,
  };
}

/** What 0.8.6 refuses is the one error; what it takes and we would not is a warning then. */
function strictly(text: string, file: string, names: Lookups): Verdict {
  const refusal = strictVerdict(text, names);
  if (refusal === undefined) {
    const { settings, problems } = parseSettings(text, { ...names, file });
    const warnings = problems.map((problem) => ({ ...problem, severity: 'warning' as const }));
    return settings === undefined ? { problems: warnings } : { settings, problems: warnings };
  }
  const { line, reason } = refusal;
  const quoted = lineAt(text, line);
  const column = line === 0 ? 0 : quoted.length - quoted.trimStart().length + 1;
  const problem: Problem = {
    severity: 'error',
    code: 'refused-by-piranha',
    file,
    line,
    column,
    length: quoted.trim().length,
    found: quoted.trim().slice(0, 80),
    message: `Piranha 0.8.6 refuses this line: ${reason}`,
  };
  return { problems: [problem] };
}

function count(problems: readonly Problem[]): {
  readonly errors: number;
  readonly warnings: number;
} {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return { errors, warnings: problems.length - errors };
}

/** `lvs.cf:31:9: error: ...`, the line, and a caret under what is meant. */
function problemText(problem: Problem, lines: readonly string[]): string {
  const { file, line, column, severity, message, suggestion } = problem;
  const where = line === 0 ? file : `${file}:${line}:${column}`;
  const head = `${where}: ${severity}: ${message}\n`;
  const quoted = line === 0 ? '' : quote(lines[line - 1] ?? '', column, problem.length);
  const isNew = suggestion !== undefined && !message.includes(`\`${suggestion}\``);
  return head + quoted + (isNew ? `    write: ${suggestion}\n` : '');
}

const QUOTE_WIDTH = 96;

/** The line as it stands, tabs as blanks so that the caret meets its column; a long line is cut around the place. */
function quote(line: string, column: number, length: number): string {
  const start = column > QUOTE_WIDTH - 16 ? column - 17 : 0;
  const shown = line.slice(start, start + QUOTE_WIDTH).replace(/[\s\p{Cc}\p{Bidi_Control}]/gu, ' ');
  const at = column - 1 - start;
  const width = Math.max(1, Math.min(length, shown.length - at));
  return `    ${shown.trimEnd()}\n    ${' '.repeat(at)}^${'~'.repeat(width - 1)}\n`;
}

function lineAt(text: string, line: number): string {
  return (text.split('\n', line)[line - 1] ?? '').replace(/\r$/, '');
}

function summary(file: string, { settings, problems }: Verdict): string {
  const { errors, warnings } = count(problems);
  const told = [
    ...(errors > 0 ? [plural(errors, 'error')] : []),
    ...(warnings > 0 ? [plural(warnings, 'warning')] : []),
  ];
  if (errors > 0 || settings === undefined) return `${file}: ${told.join(', ')}\n`;
  const services =
    settings.service === 'fos' ? settings.failoverServices : settings.virtualServices;
  const servers = services.reduce((sum, service) => sum + service.realServers.length, 0);
  const good = `good, ${plural(services.length, 'service')}, ${plural(servers, 'real server')}`;
  return `${file}: ${[good, ...told].join(', ')}\n`;
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
