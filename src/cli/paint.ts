/**
 * Colour for the one word that says how bad it is, and nothing else: never the only carrier of a meaning, only on a
 * terminal, and not where NO_COLOR is set (no-color.org) or the terminal is dumb.
 */
import type { Verdict } from '../director/index.ts';

type Level = Verdict['level'];

const CODES: Record<Level, number> = { healthy: 32, degraded: 33, critical: 31, unknown: 35 };

export type Surroundings = {
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

export function hasColour({ isTerminal, environment }: Surroundings): boolean {
  const { NO_COLOR: refused = '', TERM: terminal = '' } = environment;
  return isTerminal && refused === '' && terminal !== 'dumb';
}

/** The level in capitals, painted where that is wanted. */
export function levelWord(level: Level, surroundings = here()): string {
  const word = level.toUpperCase();
  return hasColour(surroundings) ? `\u001b[1;${CODES[level]}m${word}\u001b[0m` : word;
}

/** Before the next picture of a command that goes on; where there is no screen, pictures follow each other. */
export function clearScreen({ isTerminal, environment } = here()): void {
  if (isTerminal && environment.TERM !== 'dumb') process.stdout.write('\u001b[H\u001b[2J');
}

function here(): Surroundings {
  return { isTerminal: process.stdout.isTTY === true, environment: process.env };
}
