/**
 * `piranha services [--json] [--watch]`: the virtual-service table as a director keeps it, with health, reasons and
 * traffic. Exit code 0 when every service has a server, 1 when one has none, 3 without an answer.
 */
import { err, ok, type Result } from '../base/index.ts';
import type { ServicesDocument } from '../director/index.ts';
import { askDirector, directoryOf, silenceText, titleOf, type WhichNode } from './ask-director.ts';
import { SERVICES } from './look-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { clearScreen } from './paint.ts';
import { plainServices } from './plain.ts';
import { servicesText } from './services-text.ts';
import { nodeOf } from './status.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';
import { watch } from './watch.ts';

const UNKNOWN = 3;

export const servicesCommand = withOptions('services', SERVICES, async ({ flags, values }) => {
  const node = nodeOf(values.get('node'));
  if (node === undefined) return misuse('services', '--node is own or partner');
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const isWatched = flags.has('watch');
  const draw = async (): Promise<number> => {
    const answer = await askServices(path, node);
    if (isWatched) clearScreen();
    if (flags.has('json')) sayJson(answer.ok ? answer.value : unknown(answer.error), isWatched);
    else if (!answer.ok) process.stderr.write(`piranha services: ${answer.error}\n`);
    else if (flags.has('plain')) say(plainServices(answer.value));
    else say(servicesText(answer.value));
    return answer.ok ? levelOf(answer.value) : UNKNOWN;
  };
  return isWatched ? watch({ path, node }, draw) : draw();
});

/** For programs, when there is no answer. */
export function unknown(why: string): { readonly v: 1; readonly unknown: string } {
  return { v: 1, unknown: why };
}

/** The error is a sentence. */
export async function askServices(
  path: string,
  node: WhichNode,
): Promise<Result<ServicesDocument, string>> {
  const answer = await askDirector(directoryOf(path, node), '/v1/services');
  if (!answer.ok) return err(silenceText(answer.error, node));
  const { code, document } = answer.value;
  if (code !== 200) return err(titleOf(answer.value));
  return isServices(document) ? ok(document) : err('an answer of another version');
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
