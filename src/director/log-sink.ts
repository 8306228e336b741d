/**
 * Where log lines go: to standard error in the foreground, each with `pulse: ` before it as of old (a supervisor keeps
 * them), or to the system's log once nobody looks at our terminal.
 *
 * Nobody waits for a log: what its reader does not take is counted, and told when it takes lines again.
 */
import { openStandardError, type Syslog, type WriteWithoutWaiting } from '../ports/index.ts';

export type Log = (line: string) => void;

let standardError: WriteWithoutWaiting | undefined;

export function stderrLog(ident: string): Log {
  standardError ??= openStandardError();
  const write = standardError;
  return counting((line) => write(`${ident}: ${line}\n`));
}

export function syslogLog(syslog: Syslog): Log {
  return counting((line) => syslog.write(line, Date.now()) === undefined);
}

/** `write` is false when a line was not taken. */
export function counting(write: (line: string) => boolean): Log {
  let lost = 0;
  return (line) => {
    if (lost > 0 && write(`${lost} lines of this log were lost: its reader is slow`)) lost = 0;
    if (lost > 0 || !write(line)) lost++;
  };
}
