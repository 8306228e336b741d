/**
 * The system's log: one datagram a line to /dev/log (journald or a syslog daemon behind it), in the form that the C
 * library's syslog(3) writes: `<PRI>Mon DD HH:MM:SS ident[pid]: text` (RFC 3164 §4.1, without the host name).
 * Own code because it is one socket and one send; the packages for it compile C++.
 */
import { err, ok, type Result, utf8 } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import { AF_UNIX, SOCK_DGRAM } from './linux.ts';
import { native } from './native.ts';
import { unixAddress } from './socket-address.ts';

/** Facility daemon (3), severity info (6). */
const DAEMON_INFO = 3 * 8 + 6;
/** What every syslog takes (RFC 3164 §4.1), with room for the header; longer texts are cut. */
const MAX_TEXT = 900;

export type Syslog = {
  /** `wallMs`: milliseconds since 1970, shown in local time. The error when nobody took the line. */
  write(text: string, wallMs: number): PortError | undefined;
  close(): void;
};

/** Connects to the log; `ident` as in `pulse[17]`. */
export function openSyslog(
  ident: string,
  processId: number,
  path = '/dev/log',
): Result<Syslog, PortError> {
  const kernel = native();
  const fd = kernel.socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return err(portError('socket', path, fd));
  const connected = kernel.connect(fd, unixAddress(path));
  if (connected < 0) {
    kernel.close(fd);
    return err(portError('connect', path, connected));
  }
  return ok({
    write: (text, wallMs) => {
      const line = syslogLine(`${ident}[${processId}]`, text, new Date(wallMs));
      const sent = kernel.send(fd, utf8(line));
      return sent < 0 ? portError('send', path, sent) : undefined;
    },
    close: () => {
      kernel.close(fd);
    },
  });
}

/** `<30>Nov  2 03:12:41 pulse[17]: partner dead ...`: the day is padded with a blank. Line feeds become blanks. */
export function syslogLine(tag: string, text: string, at: Date): string {
  const month = at.toLocaleString('en-US', { month: 'short' });
  const day = String(at.getDate()).padStart(2, ' ');
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const line = text.replaceAll('\n', ' ').slice(0, MAX_TEXT);
  return `<${DAEMON_INFO}>${month} ${day} ${time} ${tag}: ${line}`;
}
