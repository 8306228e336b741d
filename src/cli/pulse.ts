/**
 * `pulse`: the director daemon, with the options of piranha 0.8.6 (pulse(8)) and two of ours (--run-dir, --state-dir).
 *
 * Called wrongly it says so on standard error and exits with 1, as pulse always did.
 */
import { isAbsolute, join, resolve } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { type OptionSpec, readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE, PULSE } from './options-of-programs.ts';
import { versionText } from './version-text.ts';

/** `worker`: has begun to load before us (pulse-process.ts). */
export async function pulseCommand(argv: readonly string[], worker?: Worker): Promise<number> {
  const parsed = readOptions(argv, PULSE);
  if (!parsed.ok) return complain(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('usage')) return say(usage());
  if (flags.has('version')) return say(versionText('pulse'));
  if (rest.length > 0) return complain(`unexpected argument ${rest[0]}`);
  const [director, { api }] = await Promise.all([
    import('../director/index.ts'),
    import('../api/index.ts'),
  ]);
  const ownRun = values.get('runDirectory');
  const state = ownRun === undefined ? director.DEFAULT_STATE_DIRECTORY : join(ownRun, 'state');
  return director.runPulse({
    api,
    configFile: absolute(values.get('configFile') ?? DEFAULT_CONFIG_FILE),
    runDirectory: absolute(ownRun ?? director.DEFAULT_RUN_DIRECTORY),
    stateDirectory: absolute(values.get('stateDirectory') ?? state),
    isForeground: flags.has('noDaemon'),
    isTest: flags.has('test'),
    isVerbose: flags.has('verbose'),
    isForcedActive: flags.has('forceActive'),
    ...(worker !== undefined && { worker }),
  });
}

function usage(): string {
  const words = Object.values(PULSE).map((spec: OptionSpec) => {
    const name = spec.short ?? spec.long[0] ?? '';
    return spec.value === undefined ? `[${name}]` : `[${name} ${spec.value}]`;
  });
  return `Usage: pulse ${words.join(' ')}`;
}

/** The daemon leaves the directory it is started in. */
function absolute(path: string): string {
  return isAbsolute(path) ? path : resolve(path);
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(sentence: string): number {
  process.stderr.write(`pulse: ${sentence}; try pulse --help\n`);
  return 1;
}
