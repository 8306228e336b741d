/**
 * What a courier is told at its start: one file of mode 0600 in the run directory, read as root and removed, before
 * anything else is done. Never argv or the environment, which every user of the machine can read.
 *
 * Rejected: a pipe (the spawner gives programs none), and leaving the file there (who becomes root later would find it).
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../base/index.ts';
import type { CourierSecrets } from './secrets.ts';

export type CourierPlan = {
  readonly v: 1;
  readonly port: number;
  /** The heartbeat paths, the one to try first in front. */
  readonly paths: readonly { readonly own: string; readonly partner: string }[];
  readonly secrets: CourierSecrets;
  /** Whom to become; absent: we stay who we are. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Whose members may use `partner.sock`. */
  readonly group: number;
};

export type CourierFiles = {
  readonly plan: string;
  /** Connect here to speak to the partner's director. */
  readonly partnerSocket: string;
  /** Where our director hears the partner. */
  readonly courierSocket: string;
  /** What the courier last met, for the sentences of its director. */
  readonly state: string;
};

export function courierFiles(runDirectory: string): CourierFiles {
  return {
    plan: join(runDirectory, 'courier.plan'),
    partnerSocket: join(runDirectory, 'partner.sock'),
    courierSocket: join(runDirectory, 'courier.sock'),
    state: join(runDirectory, 'courier.state'),
  };
}

/** The error is a sentence. The file is gone afterwards. */
export function takePlan(path: string): Result<CourierPlan, string> {
  try {
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    const plan: unknown = JSON.parse(text);
    return isPlan(plan) ? ok(plan) : err(`${path} was not written by this version`);
  } catch (error) {
    return err(`${path} cannot be read: ${error instanceof Error ? error.message : 'not JSON'}`);
  }
}

function isPlan(value: unknown): value is CourierPlan {
  if (typeof value !== 'object' || value === null) return false;
  if (!('v' in value && 'port' in value && 'paths' in value && 'secrets' in value)) return false;
  return value.v === 1 && typeof value.port === 'number' && Array.isArray(value.paths);
}

const NAME = 'piranha-courier';
/**
 * A number that no user has: below those that systemd gives, outside those of people and packages. Rejected: nobody (65534),
 * who also runs the check programs; whoever is the courier's user may speak for the partner at `courier.sock`.
 */
const NO_ONE_ELSE = { uid: 61_183, gid: 61_183 };

/**
 * The courier's user: its own where the package made one, else a number without a name. Undefined: we are not root and stay
 * who we are.
 */
export function courierUser(passwd = '/etc/passwd'): CourierPlan['user'] {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const row = readFileSync(passwd, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${NAME}:`));
    const [, , uid, gid] = row?.split(':') ?? [];
    return row === undefined ? NO_ONE_ELSE : { uid: Number(uid), gid: Number(gid) };
  } catch {
    return NO_ONE_ELSE; // a machine without the file
  }
}
