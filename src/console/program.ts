/**
 * The console as a process: gives up its rights, finds its certificate, serves until it is told to end.
 *
 *   TERM, INT   ends, and closes what is open
 *   HUP         reads the certificate again
 *
 * A supervisor may hand over the listening socket (descriptor 3, sd_listen_fds(3)); then it exits once nobody has
 * been there for `idleExitMs`, and costs nothing until somebody comes.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { loadAssets, loadRoutes } from './assets.ts';
import {
  type CertificateFiles,
  fingerprintOf,
  leftMs,
  ownCertificate,
  readCertificate,
  type Tls,
} from './certificate.ts';
import type { StatusText } from './first-page.ts';
import { type Console, type ConsoleOptions, serveConsole } from './server.ts';
import { becomeUnprivileged } from './unprivileged.ts';

export const CONSOLE_PORT = 3636;
export const DEFAULT_STATE_DIRECTORY = '/var/lib/piranha-console';
/** How often it looks whether anybody is there. */
const LOOK_MS: Milliseconds = 30_000;
const day = 24 * 3600 * 1000;

export type ListenAt = { readonly host: string; readonly port: number };

export type ProgramOptions = {
  readonly listen: ListenAt;
  readonly user: string;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  /** Where build.ts has put the pages. */
  readonly builtDirectory: string;
  readonly certificate?: CertificateFiles;
  readonly isPlain: boolean;
  readonly idleExitMs: Milliseconds;
  readonly statusText: StatusText;
};

/** `ADDR:PORT`, `[ADDR]:PORT`, `:PORT`, `PORT`, `ADDR`. The error is a sentence. */
export function parseListen(text: string): Result<ListenAt, string> {
  const match = /^(?:\[([^\]]*)\]|([^:]*))?(?::(\d{1,5}))?$/.exec(
    /^\d+$/.test(text) ? `:${text}` : text,
  );
  const whole =
    match === null
      ? { host: text, port: undefined }
      : { host: match[1] ?? match[2] ?? '', port: match[3] };
  const port = whole.port === undefined ? CONSOLE_PORT : Number(whole.port);
  if (whole.host !== '' && isIP(whole.host) === 0) {
    return err(`--listen takes ADDR:PORT, [ADDR]:PORT or :PORT; ${whole.host} is no address`);
  }
  if (port > 65_535) return err(`port ${port} is more than 65535`);
  return ok({ host: whole.host === '' ? '::' : whole.host, port });
}

export function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host);
}

/** What a person types into a browser. */
export function urlOf({ host, port }: ListenAt, isPlain: boolean): string {
  const name =
    host === '::' || host === '0.0.0.0' ? hostname() : host.includes(':') ? `[${host}]` : host;
  return `${isPlain ? 'http' : 'https'}://${name}:${port}/`;
}

/** Serves until the process is told to end; gives its exit code. */
export async function runConsole(options: ProgramOptions): Promise<number> {
  const log = (line: string): void => {
    process.stderr.write(`console: ${line}\n`);
  };
  const { user, stateDirectory, runDirectory } = options;
  const became = becomeUnprivileged({
    user,
    stateDirectory,
    socket: join(runDirectory, 'pulse.sock'),
  });
  if (!became.ok) {
    log(became.error);
    return 1;
  }
  if (became.value.kind === 'still-root') {
    log(`runs as root, since there is no user ${user} (adduser --system --group ${user})`);
  }
  try {
    return await serve(options, log);
  } catch (error) {
    log(`cannot serve: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function serve(options: ProgramOptions, log: (line: string) => void): Promise<number> {
  const tls = options.isPlain ? undefined : await certificateOf(options);
  const isActivated =
    process.env.LISTEN_PID === String(process.pid) && process.env.LISTEN_FDS === '1';
  const served = await serveConsole({
    ...common(options),
    listen: isActivated ? { fd: 3 } : options.listen,
    log,
    ...(tls !== undefined && { tls }),
  });
  // Who reads that it serves may end it at once.
  const ended = untilEnd(served, options, isActivated, log);
  greet(served, options, tls, log);
  return await ended;
}

function common(
  options: ProgramOptions,
): Pick<ConsoleOptions, 'assets' | 'routes' | 'runDirectory' | 'stateDirectory' | 'statusText'> {
  const { builtDirectory, runDirectory, stateDirectory, statusText } = options;
  return {
    assets: loadAssets(builtDirectory),
    routes: loadRoutes(builtDirectory),
    runDirectory,
    stateDirectory,
    statusText,
  };
}

async function certificateOf({ certificate, stateDirectory }: ProgramOptions): Promise<Tls> {
  return certificate === undefined
    ? await ownCertificate(stateDirectory)
    : readCertificate(certificate);
}

function greet(
  { port, access }: Console,
  { listen, isPlain }: ProgramOptions,
  tls: Tls | undefined,
  log: (line: string) => void,
): void {
  log(`serves ${urlOf({ host: listen.host, port }, isPlain)}`);
  if (tls !== undefined) {
    log(`its certificate has the SHA-256 fingerprint ${fingerprintOf(tls)}`);
    const days = Math.floor(leftMs(tls) / day);
    if (days < 30) log(`its certificate ends in ${days} days`);
  }
  if (access.users.isEmpty) log('nobody has a password yet: piranha passwd sets one');
}

function untilEnd(
  served: Console,
  options: ProgramOptions,
  isActivated: boolean,
  log: (line: string) => void,
): Promise<number> {
  return new Promise((resolve) => {
    let busyAt = performance.now();
    const end = (): void => {
      clearInterval(look);
      void served.close().then(() => resolve(0));
    };
    const look = setInterval(
      () => {
        if (served.front.open() > 0 || served.access.sessions.size > 0) busyAt = performance.now();
        if (isActivated && performance.now() - busyAt > options.idleExitMs) end();
      },
      Math.min(LOOK_MS, options.idleExitMs / 4),
    );
    process.once('SIGTERM', end);
    process.once('SIGINT', end);
    process.on('SIGHUP', () => void renew(served, options, log));
  });
}

async function renew(
  served: Console,
  options: ProgramOptions,
  log: (line: string) => void,
): Promise<void> {
  if (options.isPlain) return;
  try {
    const tls = await certificateOf(options);
    served.setCertificate(tls);
    log(`read its certificate again: ${fingerprintOf(tls)}`);
  } catch (error) {
    log(`keeps its certificate, since the new one cannot be used: ${String(error)}`);
  }
}
