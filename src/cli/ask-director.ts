/**
 * One question to a director: to the one of this machine over its socket, or to the partner's through the channel between
 * the two (`partner.sock`, which the courier keeps). JSON both ways, bounded in time and length.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { type RunDirectory, runDirectory, userHeader } from '../director/index.ts';
import { userText } from '../ports/index.ts';

const LIMIT_MS: Milliseconds = 1900;
/** 10,000 VIPs are about 1 MB. */
const LIMIT_BYTES = 16 * 1024 * 1024;

export type Silence = 'not-running' | 'no-answer' | 'no-permission';
export type DirectorAnswer = { readonly code: number; readonly document: object };
export type WhichNode = 'own' | 'partner';
type Headers = Readonly<Record<string, string>>;
/** The run directory with the socket of a node's director. */
export type NodeDirectory = RunDirectory & { readonly node: WhichNode; readonly headers: Headers };
/** Where to ask. */
type Door = Pick<RunDirectory, 'socket'> & Partial<Pick<NodeDirectory, 'headers'>>;

/** Our own director is told by the kernel who asks; the partner's only by us. */
export function directoryOf(path: string, node: WhichNode = 'own'): NodeDirectory {
  const directory = runDirectory(path);
  if (node === 'own') return { ...directory, socket: doorFor(directory), node, headers: {} };
  const socket = join(path, 'partner.sock');
  return { ...directory, socket, node, headers: userHeader(personHere()) };
}

/** Who may not act may look: through the door for everybody. */
function doorFor({ socket, readSocket }: RunDirectory): string {
  try {
    accessSync(socket, constants.W_OK);
    return socket;
  } catch (error) {
    const isShut = error instanceof Error && 'code' in error && error.code === 'EACCES';
    return isShut ? readSocket : socket;
  }
}

/** The person behind sudo rather than root. */
function personHere(): string {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? (process.env.SUDO_USER ?? 'root') : userText(uid);
}

/** Why a node could not be asked, as a sentence without its full stop. */
export function silenceText(silence: Silence, node: WhichNode = 'own'): string {
  if (node === 'own') return `the director does not answer (${silence})`;
  if (silence === 'not-running')
    return 'there is no channel to the partner: the courier does not run, or heartbeat_key_file is not set';
  const door =
    silence === 'no-permission' ? ': only root and the group of partner.sock may ask' : '';
  return `the partner does not answer (${silence})${door}`;
}

/** The sentence of a refusal. */
export function titleOf({ code, document }: DirectorAnswer): string {
  return String(new Map(Object.entries(document)).get('title') ?? code);
}

/** The same, with whose it is. */
export function refusalText(answer: DirectorAnswer, node: WhichNode): string {
  return node === 'own' ? titleOf(answer) : `the partner: ${titleOf(answer)}`;
}

/** GET, or POST when there is a body. */
export async function askDirector(
  directory: Door,
  path: string,
  body?: object,
  limitMs = LIMIT_MS,
  headers: Headers = {},
): Promise<Result<DirectorAnswer, Silence>> {
  const answer = await askText(directory, path, body, limitMs, headers);
  if (!answer.ok) return answer;
  try {
    const document: unknown = JSON.parse(answer.value.text);
    if (typeof document !== 'object' || document === null) return err('no-answer');
    return ok({ code: answer.value.code, document });
  } catch {
    return err('no-answer'); // cut off in the middle
  }
}

/** The same where the answer is no JSON: a recording, metrics. */
export function askText(
  directory: Door,
  path: string,
  body?: object,
  limitMs = LIMIT_MS,
  headers: Headers = {},
): Promise<Result<{ readonly code: number; readonly text: string }, Silence>> {
  return new Promise((resolve) => {
    // Fetched, not imported: an import of node:http loads ten times what is needed here.
    const asked = process.getBuiltinModule('node:http').request({
      socketPath: directory.socket,
      path,
      method: body === undefined ? 'GET' : 'POST',
      signal: AbortSignal.timeout(limitMs),
      headers: {
        ...directory.headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    asked.once('error', (error) => resolve(err(silenceOf(error))));
    asked.once('response', (response) => {
      let text = '';
      let isWhole = false;
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > LIMIT_BYTES) response.destroy();
      });
      response.once('end', () => {
        isWhole = true;
      });
      response.once('error', () => resolve(err('no-answer')));
      response.once('close', () =>
        resolve(isWhole ? ok({ code: response.statusCode ?? 0, text }) : err('no-answer')),
      );
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function silenceOf(error: Error): Silence {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return 'no-permission';
  return code === 'ENOENT' || code === 'ECONNREFUSED' ? 'not-running' : 'no-answer';
}
