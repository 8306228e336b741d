/**
 * `piranha replay FILE... [--diagram]`: what the flight recorder kept (RUN_DIR/incidents), played again by the core of this
 * program. It must do what it did then; where it does not, the line is shown. One file of each node makes one story.
 *
 * Exit 0: the same; 1: it differs, or a file cannot be read.
 */
import { readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '../base/index.ts';
import { systemErrorText } from '../director/index.ts';
import { drawTrace, parseRecording, type Replay, replay, tellStory } from '../sim/index.ts';
import type { Options } from './options.ts';
import { REPLAY } from './trial-verbs.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

type Words = Options<keyof typeof REPLAY>;

const MAX_BYTES = 64 * 1024 * 1024;
const SHOWN_DIFFERENCES = 5;

export const replayCommand = withOptions('replay', REPLAY, replayFiles, true);

async function replayFiles({ flags, rest: files }: Words): Promise<number> {
  if (files.length === 0) return misuse('replay', 'which recording?');
  const replays: Replay[] = [];
  for (const file of files) {
    const played = play(file);
    if (!played.ok) {
      process.stderr.write(`${file}: ${played.error}\n`);
      return 1;
    }
    replays.push(played.value);
    if (!flags.has('json')) say(verdictLines(file, played.value).join('\n'));
  }
  const isSame = replays.every(({ differences }) => differences.length === 0);
  const isStory = new Set(replays.map(({ node }) => node)).size === replays.length;
  if (flags.has('diagram') && !isStory) {
    return misuse('replay', 'a diagram takes one recording of each node');
  }
  if (flags.has('json')) {
    const story = isStory ? tellStory(replays) : undefined;
    sayJson({ v: 1, isSame, replays, ...(story !== undefined && { story }) });
  } else if (flags.has('diagram')) {
    const { trace, clocks } = tellStory(replays);
    say(`\n${clocks}\n\n${drawTrace(trace)}`);
  }
  return isSame ? 0 : 1;
}

function play(file: string): Result<Replay, string> {
  const text = read(file);
  if (!text.ok) return text;
  try {
    const recording = parseRecording(text.value);
    return typeof recording === 'string' ? err(recording) : ok(replay(recording));
  } catch (error) {
    // Lines of the right form with a wrong content bring the core out of step.
    return err(`cannot be replayed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function read(file: string): Result<string, string> {
  try {
    if (statSync(file).size > MAX_BYTES) return err('too long for a recording');
    return ok(readFileSync(file, 'utf8'));
  } catch (error) {
    return err(`cannot be read: ${systemErrorText(error)}`);
  }
}

function verdictLines(
  file: string,
  { node, steps, differences, events }: Replay,
): readonly string[] {
  const word =
    differences.length === 0 ? 'the core does what it did' : 'THE CORE DOES NOT DO WHAT IT DID';
  const roles = events.flatMap((event) =>
    event.kind === 'role' ? [`  ${clock(event.at, events)}  ${event.to} (${event.reason})`] : [],
  );
  const shown = differences
    .slice(0, SHOWN_DIFFERENCES)
    .flatMap((difference) => [
      `  ${clock(difference.at, events)}  ${difference.input}`,
      `    recorded  ${difference.recorded.join(' | ') || 'nothing'}`,
      `    replayed  ${difference.replayed.join(' | ') || 'nothing'}`,
    ]);
  const more = differences.length - SHOWN_DIFFERENCES;
  return [
    `${file}: ${node}, ${steps} steps: ${word}`,
    ...roles,
    ...shown,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function clock(at: number, events: Replay['events']): string {
  return `${((at - (events[0]?.at ?? at)) / 1000).toFixed(3).padStart(9)} s`;
}
