/**
 * The console's process: what `piranha console` becomes, and what a unit may start by itself. Bundled into a few files
 * (src/console/build.ts), which lie beside the pages it serves. Same options as the verb.
 */
import {
  CONSOLE_USER,
  DEFAULT_STATE_DIRECTORY,
  isLoopback,
  parseListen,
  runConsole,
} from '../console/index.ts';
import type { StatusDocument } from '../director/index.ts';
import type { Options } from './options.ts';
import { CONSOLE } from './options-of-console.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { parseTime } from './span.ts';
import { statusText } from './status-text.ts';
import { misuse, withOptions } from './verb.ts';

const consoleProcess = withOptions('console', CONSOLE, run);

async function run({ flags, values }: Options<keyof typeof CONSOLE>): Promise<number> {
  if (flags.has('help')) return misuse('console', "the help is the verb's");
  const listen = parseListen(values.get('listen') ?? '');
  if (!listen.ok) return misuse('console', listen.error);
  const isPlain = flags.has('insecure');
  if (isPlain && !isLoopback(listen.value.host)) {
    return misuse('console', '--insecure-http is for a loopback address: --listen 127.0.0.1:3636');
  }
  const certificate = values.get('certificate');
  const key = values.get('key');
  if ((certificate === undefined) !== (key === undefined)) {
    return misuse('console', '--certificate and --key go together');
  }
  const idleExitMs = parseTime(values.get('idleExit') ?? '10m');
  if (idleExitMs === undefined) {
    return misuse('console', '--idle-exit takes 1s to 24h: 90s, 10m, 2h');
  }
  return await runConsole({
    listen: listen.value,
    user: values.get('user') ?? CONSOLE_USER,
    runDirectory: values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY,
    stateDirectory: values.get('stateDirectory') ?? DEFAULT_STATE_DIRECTORY,
    builtDirectory: import.meta.dirname,
    ...(certificate !== undefined && key !== undefined && { certificate: { certificate, key } }),
    isPlain,
    idleExitMs,
    statusText: (document) => (isStatus(document) ? statusText(document) : undefined),
  });
}

/** Not the one of status.ts: that brings the whole director along. */
function isStatus(document: object): document is StatusDocument {
  return 'v' in document && document.v === 1 && 'vips' in document && 'role' in document;
}

process.env.NO_COLOR = '1'; // the text goes to a browser, wherever we were started
process.exit(await consoleProcess(process.argv.slice(2)));
