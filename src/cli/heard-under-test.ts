/** For tests: what a command of this process says while it runs. */
import { runCommand } from './index.ts';

export type Said = {
  readonly text: string;
  readonly stderr: string;
  readonly exitCode: number;
};

/** What is said while `run` goes on. */
export async function heard(run: () => Promise<number>): Promise<Said> {
  const streams = [process.stdout, process.stderr] as const;
  const writes = streams.map(({ write }) => write);
  const texts = ['', ''];
  for (const [index, stream] of streams.entries()) {
    // Commands write strings; bytes are the test runner's, which tells its own story on the same stream.
    stream.write = (part: string | Uint8Array) => {
      if (typeof part !== 'string') return writes[index]?.call(stream, part) ?? true;
      texts[index] += part;
      return true;
    };
  }
  try {
    const exitCode = await run();
    return { exitCode, text: texts[0] ?? '', stderr: texts[1] ?? '' };
  } finally {
    for (const [index, stream] of streams.entries()) stream.write = writes[index] ?? stream.write;
  }
}

/** `piranha WORD...` */
export function piranha(...words: readonly string[]): Promise<Said> {
  return heard(() => runCommand('piranha', words));
}
