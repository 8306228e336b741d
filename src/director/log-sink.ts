/**
 * Where log lines go: to standard error in the foreground, each with `pulse: ` before it as of old (a supervisor keeps
 * them), or to the system's log once nobody looks at our terminal. A log that cannot be written stops nothing.
 */
import { writeSync } from 'node:fs';
import type { Syslog } from '../ports/index.ts';

export type Log = (line: string) => void;

export function stderrLog(ident: string): Log {
  return (line) => {
    try {
      writeSync(2, `${ident}: ${line}\n`);
    } catch {
      // EAGAIN or EPIPE: the reader is slow or gone, and a director must not wait for one.
    }
  };
}

export function syslogLog(syslog: Syslog): Log {
  return (line) => {
    syslog.write(line, Date.now());
  };
}
