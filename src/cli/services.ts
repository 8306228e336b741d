/**
 * `piranha services [--json] [--watch]`: the virtual-service table as the director of this machine keeps it, with health,
 * reasons and traffic. Exit code 0 when every service has a server, 1 when one has none, 3 without an answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../base/index.ts';
import { DEFAULT_RUN_DIRECTORY, runDirectory, type ServicesDocument } from '../director/index.ts';
import { askDirector } from './ask-director.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { servicesText } from './services-text.ts';
import { USAGE } from './verb.ts';

const OPTIONS = {
  json: { long: ['--json'], help: 'the whole document, for programs' },
  watch: { short: '-w', long: ['--watch'], help: 'again every second, until interrupted' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
  },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

const UNKNOWN = 3;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

export async function servicesCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok || parsed.value.rest.length > 0) {
    const why = parsed.ok ? `unexpected argument ${parsed.value.rest[0]}` : parsed.error;
    process.stderr.write(`piranha services: ${why}; try piranha services --help\n`);
    return USAGE;
  }
  const { flags, values } = parsed.value;
  if (flags.has('help')) {
    process.stdout.write(`Usage: piranha services [OPTION...]\n\n${optionsHelp(OPTIONS)}\n`);
    return 0;
  }
  const where = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  for (;;) {
    const answer = await ask(where);
    if (flags.has('watch') && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
    if (!answer.ok) process.stderr.write(`piranha services: ${answer.error}\n`);
    else if (flags.has('json'))
      process.stdout.write(`${JSON.stringify(answer.value, undefined, 2)}\n`);
    else process.stdout.write(`${servicesText(answer.value)}\n`);
    if (!flags.has('watch')) return answer.ok ? levelOf(answer.value) : UNKNOWN;
    await sleep(1000);
  }
}

async function ask(where: string): Promise<Result<ServicesDocument, string>> {
  const answer = await askDirector(runDirectory(where), '/v1/services');
  if (!answer.ok) return err(`the director does not answer (${answer.error})`);
  const { code, document } = answer.value;
  if (code === 200 && isServices(document)) return ok(document);
  return err(
    String(new Map(Object.entries(document)).get('title') ?? 'an answer of another version'),
  );
}

function isServices(document: object): document is ServicesDocument {
  return 'v' in document && document.v === 1 && 'services' in document;
}

function levelOf({ services }: ServicesDocument): number {
  const isServed = services.every(
    ({ servers, sorryServer }) =>
      servers.length === 0 ||
      sorryServer?.isShown === true ||
      servers.some(({ state }) => state === 'active'),
  );
  return isServed ? 0 : 1;
}
