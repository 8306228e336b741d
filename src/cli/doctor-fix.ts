/**
 * `piranha doctor --fix`: the commands of all findings, sorted by the machine they are typed on; and, when somebody says
 * yes, the settings of this kernel among them, at once and in a file for the next start (sysctl.d(5)).
 *
 * Only what a check proved needed is written, and nothing but settings: modules, addresses, other machines and other
 * programs' files are for people to type.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Finding, type Sysctl, sysctlText } from './finding.ts';
import { say } from './verb.ts';

type Curable = Pick<Finding, 'check' | 'cures'>;

/** Late in the alphabet: it is to hold over what distributions ship. */
export const DROP_IN = '/etc/sysctl.d/90-piranha-doctor.conf';

export function fixText(findings: readonly Curable[]): string {
  const cures = findings.flatMap(({ check, cures: own = [] }) =>
    own.map((cure) => ({ ...cure, check })),
  );
  const machines = [...new Set(cures.map(({ on }) => on))];
  if (cures.length === 0) return '# nothing to type';
  return machines
    .map((machine) => {
      const mine = cures.filter(({ on }) => on === machine);
      const lines = [...new Set(mine.map(({ command }) => command))].map((command) => {
        const why = mine.find((cure) => cure.command === command)?.check ?? '';
        return `${command}${command.includes('#') ? '' : `  # ${why}`}`;
      });
      return [`# ${machine === 'here' ? 'on this machine' : `on ${machine}`}`, ...lines].join('\n');
    })
    .join('\n\n');
}

/** The settings of this kernel that the findings ask for, each once; the last word about one holds. */
export function sysctlsOf(findings: readonly Curable[]): readonly Sysctl[] {
  const all = findings.flatMap(({ cures = [] }) => cures.flatMap(({ sysctls = [] }) => sysctls));
  return [...new Map(all.map((one) => [one.path, one])).values()];
}

/** The drop-in with these settings added to those it has. */
export function dropInText(before: string, sysctls: readonly Sysctl[]): string {
  const names = sysctls.map((one) => sysctlText(one, ' = ').split(' = ')[0]);
  const kept = before
    .split('\n')
    .filter((line) => line !== '' && !names.includes(line.split('=')[0]?.trim()));
  const head = '# Written by piranha doctor --fix.';
  const lines = kept[0] === head ? kept : [head, ...kept];
  return `${[...lines, ...sysctls.map((one) => sysctlText(one, ' = '))].join('\n')}\n`;
}

/** Asks (unless told yes) and writes. False: it was to be written and could not be. */
export async function offerFix(findings: readonly Curable[], isTold: boolean): Promise<boolean> {
  const sysctls = sysctlsOf(findings);
  if (sysctls.length === 0) return true;
  const count = sysctls.length === 1 ? 'one setting' : `${sysctls.length} settings`;
  if (!isTold && !(await isWanted(count))) return true;
  try {
    for (const { path, value } of sysctls) writeFileSync(join('/proc/sys', path), `${value}\n`);
    mkdirSync(dirname(DROP_IN), { recursive: true });
    writeFileSync(`${DROP_IN}.new`, dropInText(readIfThere(DROP_IN), sysctls), { mode: 0o644 });
    renameSync(`${DROP_IN}.new`, DROP_IN);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`piranha doctor: not written: ${why}\n`);
    return false;
  }
  say(`# done: ${count} of this kernel, now and in ${DROP_IN}`);
  return true;
}

async function isWanted(count: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false; // who reads this by a pipe types for himself
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await reader.question(
    `\nSet ${count} of this kernel now, and in ${DROP_IN}? Type yes: `,
  );
  reader.close();
  return answer.trim() === 'yes';
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
