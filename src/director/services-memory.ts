/**
 * What the services part keeps over a restart of the director, in one small file of the run directory: the operator's
 * overrides, and which services in the kernel are ours (so that one which the file lost meanwhile goes away).
 *
 * Ends of overrides are kept in wall-clock time, because the clock of the machine starts anew at a boot. A file that
 * cannot be read is as none: it is told, never a reason not to start.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, elapsedMs, type Instant } from '../base/index.ts';
import { MAX_WEIGHT, OVERRIDE_KINDS, type Override } from '../core/index.ts';
import { systemErrorText } from './sentences.ts';

export type Remembered = {
  readonly overrides: ReadonlyMap<string, Override>;
  readonly ours: readonly string[];
};

type Clocks = { readonly now: Instant; readonly wallMs: number };
type Stored = {
  readonly v: 1;
  readonly overrides: readonly (Override & {
    readonly target: string;
    readonly untilWallMs?: number;
  })[];
  readonly ours: readonly string[];
};

const NOTHING: Remembered = { overrides: new Map(), ours: [] };

export class ServicesMemory {
  readonly #file: string;
  readonly #log: (line: string) => void;
  #written = '';

  constructor(runDirectory: string, log: (line: string) => void) {
    this.#file = join(runDirectory, 'services.json');
    this.#log = log;
  }

  /** Overrides whose time has passed are left out. */
  read({ now, wallMs }: Clocks): Remembered {
    let stored: unknown;
    try {
      stored = JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing) this.#log(`${this.#file} is not used: ${systemErrorText(error)}`);
      return NOTHING;
    }
    if (!isStored(stored)) {
      this.#log(`${this.#file} is not used: not written by this version`);
      return NOTHING;
    }
    const overrides = new Map<string, Override>();
    for (const { target, untilWallMs, ...override } of stored.overrides) {
      if (untilWallMs === undefined) overrides.set(target, override);
      else if (untilWallMs > wallMs) {
        overrides.set(target, { ...override, until: after(now, untilWallMs - wallMs) });
      }
    }
    return { overrides, ours: stored.ours };
  }

  /** Writes when there is something new. */
  write({ overrides, ours }: Remembered, { now, wallMs }: Clocks): void {
    const stored: Stored = {
      v: 1,
      overrides: Array.from(overrides, ([target, { until, ...override }]) => ({
        target,
        ...override,
        // To the second: the two clocks drift against each other, and that is no news.
        ...(until !== undefined && {
          untilWallMs: Math.round((wallMs + elapsedMs(now, until)) / 1000) * 1000,
        }),
      })),
      ours,
    };
    const text = `${JSON.stringify(stored)}\n`;
    if (text === this.#written) return;
    this.#written = text;
    try {
      writeFileSync(`${this.#file}.new`, text, { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#log(`${this.#file} cannot be written: ${systemErrorText(error)}`);
    }
  }
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  if (!('v' in value && 'overrides' in value && 'ours' in value) || value.v !== 1) return false;
  const { overrides, ours } = value;
  if (!Array.isArray(overrides) || !Array.isArray(ours)) return false;
  return ours.every((key) => typeof key === 'string') && overrides.every(isStoredOverride);
}

function isStoredOverride(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!('target' in value && 'kind' in value) || typeof value.target !== 'string') return false;
  if (!OVERRIDE_KINDS.some((kind) => kind === value.kind)) return false;
  const weight = 'weight' in value ? value.weight : undefined;
  if (value.kind === 'weight' ? !isWeight(weight) : weight !== undefined) return false;
  return !('untilWallMs' in value) || Number.isFinite(value.untilWallMs);
}

function isWeight(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_WEIGHT;
}
