/**
 * Counts of tests, and how to read them from what a test program prints.
 *
 * Everything that tests speaks TAP: node:test by its own reporter, shell scripts by the closing lines
 * `# tests N`, `# pass N`, `# fail N`, `# skipped N` alone. The counts are believed only together with the exit
 * status: a program that dies, hangs or leaves before its counts has failed, whatever it printed until then.
 * Rejected: a custom node:test reporter; it would be one more format for the scripts to speak.
 */

export type Named = { readonly name: string; readonly text: string };

export type Tally = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One per failed test, as far as the program named them. */
  readonly failures: readonly Named[];
  /** One per skipped test; the text names the missing capability. */
  readonly skips: readonly Named[];
};

export const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };

export function failure(name: string, text: string): Tally {
  return { ...NOTHING, failed: 1, failures: [{ name, text }] };
}

export function skip(name: string, text: string): Tally {
  return { ...NOTHING, skipped: 1, skips: [{ name, text }] };
}

export function add(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    failures: [...a.failures, ...b.failures],
    skips: [...a.skips, ...b.skips],
  };
}

/**
 * Reads TAP. Undefined when the closing counts are missing, or count no test at all: a program that proved nothing
 * must not look like one that passed. Tests put off (node:test's `todo`) count as skipped.
 */
export function parseTap(program: string, output: string): Tally | undefined {
  const counts = new Map<string, number>();
  const failures: Named[] = [];
  const skips: Named[] = [];
  const lines = output.split('\n');
  for (const [index, line] of lines.entries()) {
    for (const [, word = '', digits] of line.matchAll(
      /(?:^# |(?<=^# .*))(tests|pass|fail|cancelled|skipped|todo) (\d+)/g,
    )) {
      counts.set(word, Number(digits));
    }
    const skipped = /^\s*ok \d+ - (.*?) # (?:SKIP|TODO) ?(.*)$/.exec(line);
    if (skipped !== null) skips.push({ name: `${program}: ${skipped[1]}`, text: skipped[2] ?? '' });
    const failed = /^\s*not ok \d+ - (.*)$/.exec(line);
    if (failed !== null) {
      const details = yamlAfter(lines, index + 1);
      // A parent fails because its child did; the child has said why.
      if (!details.includes("failureType: 'subtestsFailed'")) {
        failures.push({ name: `${program}: ${failed[1]}`, text: details });
      }
    }
  }
  const count = (word: string) => counts.get(word) ?? 0;
  if (count('tests') === 0) return undefined;
  const tally = {
    passed: count('pass'),
    failed: count('fail') + count('cancelled'),
    skipped: count('skipped') + count('todo'),
  };
  return { ...tally, failures, skips };
}

/** Lines of the YAML block that say nothing to a reader. */
const NOISE = [
  /^\s*(duration_ms|type): /,
  /^\s*(failureType: 'testCode|code: 'ERR_|name: 'Ass)/,
  /^\s*(.* \(node:internal|async .*node:internal|async Promise\.all)/,
];

/** The YAML block that follows a test line, without its fences, indentation and noise. */
function yamlAfter(lines: readonly string[], start: number): string {
  const block: string[] = [];
  if (lines[start]?.trim() !== '---') return '';
  for (let index = start + 1; index < lines.length && lines[index]?.trim() !== '...'; index++) {
    const line = lines[index] ?? '';
    if (!NOISE.some((pattern) => pattern.test(line))) block.push(line);
  }
  const indent = Math.min(...block.filter((l) => l.trim() !== '').map((l) => l.search(/\S/)));
  return block.map((line) => line.slice(indent)).join('\n');
}
