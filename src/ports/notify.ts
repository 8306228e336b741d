/**
 * Tells systemd how we are: one datagram of `NAME=value` lines to the socket named by
 * NOTIFY_SOCKET. Own code because it is one socket and one send, while the packages for it compile
 * against libsystemd.
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 */
import { err, type Milliseconds, ok, type Result, utf8 } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import { AF_UNIX, SOCK_DGRAM } from './linux.ts';
import { native } from './native.ts';
import { unixAddress } from './socket-address.ts';

/**
 * Each gives the error when nobody took the message; a supervisor that is busy restarting loses it,
 * no more.
 */
export type Notifier = {
  /** The start is complete. */
  ready(): PortError | undefined;
  /** A clean stop has begun. */
  stopping(): PortError | undefined;
  /** We live; at least every `watchdogMs`. */
  watchdog(): PortError | undefined;
  /** One line for `systemctl status`; line feeds become spaces. */
  status(text: string): PortError | undefined;
  /**
   * The supervisor kills us when `watchdog` is not called for this long; absent: it does not watch.
   */
  readonly watchdogMs?: Milliseconds;
  close(): void;
};

type Environment = Readonly<Record<string, string | undefined>>;

/** A notifier for the supervisor that `environment` names; undefined where there is none. */
export function openNotifier(
  environment: Environment,
  processId: number,
): Result<Notifier | undefined, PortError> {
  const path = environment.NOTIFY_SOCKET;
  if (path === undefined || path === '') return ok(undefined);
  const target = `NOTIFY_SOCKET ${path}`;
  if (!/^[/@]./.test(path) || utf8(path).length > 107) {
    return err(portError('connect', target, 'not-a-socket-path'));
  }
  const kernel = native();
  const fd = kernel.socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return err(portError('socket', target, fd));
  const connected = kernel.connect(fd, unixAddress(path));
  if (connected < 0) {
    kernel.close(fd);
    return err(portError('connect', target, connected));
  }
  const tell = (line: string): PortError | undefined => {
    const result = kernel.send(fd, utf8(line));
    return result < 0 ? portError('notify', target, result) : undefined;
  };
  const watchdogMs = watchdogOf(environment, processId);
  return ok({
    ready: () => tell('READY=1'),
    stopping: () => tell('STOPPING=1'),
    watchdog: () => tell('WATCHDOG=1'),
    status: (text) => tell(`STATUS=${text.replaceAll('\n', ' ')}`),
    ...(watchdogMs !== undefined && { watchdogMs }),
    close: () => {
      kernel.close(fd);
    },
  });
}

function watchdogOf(environment: Environment, processId: number): Milliseconds | undefined {
  const microseconds = Number(environment.WATCHDOG_USEC);
  const isForUs = (environment.WATCHDOG_PID ?? String(processId)) === String(processId);
  return isForUs && microseconds > 0 && Number.isSafeInteger(microseconds)
    ? microseconds / 1000
    : undefined;
}
