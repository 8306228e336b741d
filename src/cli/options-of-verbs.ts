/** Options that several verbs have, as data. The rest stand with the rows of their verbs (look-verbs.ts and its like). */
import type { OptionSpec, OptionTable } from './options.ts';
import { DEFAULT_CONFIG_FILE, HELP } from './options-of-programs.ts';

export const DEFAULT_RUN_DIRECTORY = '/run/piranha';

export const RUN_DIRECTORY = {
  long: ['--run-dir'],
  value: 'DIR',
  help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
} as const satisfies OptionSpec;
export const JSON_OUT = {
  long: ['--json'],
  help: 'the whole answer as JSON, for programs',
} as const satisfies OptionSpec;
export const PLAIN = {
  long: ['--plain'],
  help: 'rows with tabs between their columns, for cut and awk (docs/cli.md has the columns)',
} as const satisfies OptionSpec;
export const WATCH = {
  short: '-w',
  long: ['--watch'],
  help: 'again whenever something happens, and every few seconds, until interrupted',
} as const satisfies OptionSpec;
export const NODE = {
  long: ['--node'],
  value: 'NODE',
  words: ['own', 'partner'],
  help: 'own (unless told) or partner: asked through the channel between the two',
} as const satisfies OptionSpec;
export const NODES = {
  long: ['--node'],
  value: 'NODE',
  words: ['own', 'partner', 'both'],
  help: 'own, partner or both (unless told, as far as the partner can be reached)',
} as const satisfies OptionSpec;
export const CONFIG_FILE = {
  short: '-c',
  long: ['--configfile'],
  value: 'FILE',
  help: `the configuration (${DEFAULT_CONFIG_FILE})`,
} as const satisfies OptionSpec;

/** Of every verb that asks a director. */
export const ASKING = {
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;
