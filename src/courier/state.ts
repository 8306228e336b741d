/**
 * What the courier last met, for people: why the partner cannot be reached, who was refused. It is written into a file
 * that was opened before the courier gave up its rights; a reader that meets it half written reads it as nothing.
 */
import { closeSync, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

export type CourierState = {
  readonly v: 1;
  /** Why the last connection to the partner did not come about; absent: it did, or none was tried. */
  readonly trouble?: string;
  /** Connections from the network that were not the partner's. */
  readonly refused: number;
  /** Why the last of them was refused. */
  readonly refusal?: string;
};

export class StateFile {
  readonly #fd: number;
  #state: CourierState = { v: 1, refused: 0 };
  #isUnwritten = false;

  constructor(path: string) {
    this.#fd = openSync(path, 'w', 0o644);
    fchmodSync(this.#fd, 0o644);
    this.#write();
  }

  /** Undefined: the partner was reached. */
  reached(trouble: string | undefined): void {
    if (this.#state.trouble === trouble) return;
    const { trouble: _, ...rest } = this.#state;
    this.#state = trouble === undefined ? rest : { ...rest, trouble };
    this.#write();
  }

  /** Written at the next `flush`: a flood of strangers must not become a flood of writes. */
  refused(refusal: string): void {
    this.#state = { ...this.#state, refused: this.#state.refused + 1, refusal };
    this.#isUnwritten = true;
  }

  flush(): void {
    if (this.#isUnwritten) this.#write();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(this.#state)}\n`);
    this.#isUnwritten = false;
    ftruncateSync(this.#fd, 0);
    writeSync(this.#fd, bytes, 0, bytes.length, 0);
  }
}

/** Undefined: there is no courier, or it is writing just now. */
export function readState(path: string): CourierState | undefined {
  try {
    const state: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

function isState(value: unknown): value is CourierState {
  if (typeof value !== 'object' || value === null || !('v' in value && 'refused' in value)) {
    return false;
  }
  const trouble = 'trouble' in value ? typeof value.trouble : 'string';
  return value.v === 1 && typeof value.refused === 'number' && trouble === 'string';
}
