/**
 * Tickets: a link that logs in once, for the person who is root on this machine anyway (`piranha console login-url`).
 *
 * A ticket is a file in the state directory, named by the hash of its secret: root makes it, the console takes it by
 * removing it, and removing succeeds once. The secret stands behind the `#` of the link: a browser sends it to no
 * server by itself, so no log, proxy or preview of a link uses it up.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Milliseconds } from '../base/index.ts';
import { isRights, type Rights } from './rights.ts';
import { isUserName, writeSecret } from './users.ts';

export const TICKET_MS: Milliseconds = 5 * 60_000;

export type Ticket = { readonly user: string; readonly rights: Rights };

function directoryOf(stateDirectory: string): string {
  return join(stateDirectory, 'tickets');
}

/** Gives the secret. Old tickets are thrown away. For the directory's owner. Throws what the file system says. */
export function makeTicket(stateDirectory: string, { user, rights }: Ticket): string {
  const directory = directoryOf(stateDirectory);
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(directory, { mode: 0o700 });
  }
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > TICKET_MS) rmSync(path, { force: true });
  }
  const secret = randomBytes(32).toString('base64url');
  const until = new Date(Date.now() + TICKET_MS).toISOString();
  writeSecret(join(directory, nameOf(secret)), `${JSON.stringify({ user, rights, until })}\n`);
  return secret;
}

/** Undefined: there is no such ticket, it was used, or its time is over. */
export function takeTicket(stateDirectory: string, secret: string): Ticket | undefined {
  const path = join(directoryOf(stateDirectory), nameOf(secret));
  try {
    const text = readFileSync(path, 'utf8');
    unlinkSync(path); // who removes it has it
    return parseTicket(text, Date.now());
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseTicket(text: string, wallMs: number): Ticket | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map(Object.entries(value));
  const [user, rights, until] = ['user', 'rights', 'until'].map((key) => String(fields.get(key)));
  if (user === undefined || rights === undefined || until === undefined) return undefined;
  const leftMs = Date.parse(until) - wallMs;
  const isInTime = leftMs > 0 && leftMs <= TICKET_MS;
  return isInTime && isUserName(user) && isRights(rights) ? { user, rights } : undefined;
}

function nameOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
