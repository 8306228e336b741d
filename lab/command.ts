/**
 * Short-lived outside programs of the lab: run, given their input, and answered for. A failure is told in the program's own
 * words. Nothing here lies in a measured path; what must be quick has a process that is already there (cuts.ts).
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** argv to run in a lab namespace, with /sys as that namespace has it (ip-netns(8)). The process id stays the same. */
export function inNamespace(node: string, argv: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', node, ...argv];
}

/** Runs `argv` with `input` on its standard input; gives its output. Throws CommandError on any status but 0. */
export function command(argv: readonly string[], input = '', timeoutMs = 10_000): Promise<string> {
  const [program = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      stdio: 'pipe',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      reject(
        new CommandError(missing ? `${program} is not installed` : `${program}: ${error.message}`),
      );
    });
    child.on('close', (status, signal) => {
      if (status === 0) resolve(output);
      else
        reject(
          new CommandError(`${argv.join(' ')}: ${errors.trim() || (signal ?? `status ${status}`)}`),
        );
    });
    child.stdin.on('error', () => undefined); // the status tells why it stopped reading
    child.stdin.end(input.endsWith('\n') || input === '' ? input : `${input}\n`);
  });
}

/** A file of a process in /proc; empty when the process has ended. */
export function readProc(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
