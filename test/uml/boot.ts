/**
 * Boots user-mode Linux with this machine's file system and runs one program in it: a kernel with real IPVS where the
 * host's has none. No KVM, no image, no download; the guest is up in two seconds.
 *
 * The guest sees `/` read-only over hostfs, has its own /proc, /sys, /dev/pts and an empty /run, and writes into one directory of
 * the host, OUT, where its exit status comes back. Its memory is a file in TMPDIR: small containers have a small
 * /dev/shm. A guest that hangs is ended at the limit, with everything it left on the host.
 * Rejected: QEMU (three times slower without KVM, and a kernel to download), a container (the host's kernel again).
 * Source: user-mode-linux(1), Documentation/virt/uml.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const MODULES = '/usr/lib/uml/modules';

/** Why no guest can be booted here, in words; undefined: one can. */
export function umlObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'user-mode Linux tests need root';
  if (!existsSync('/usr/bin/linux.uml')) return 'linux.uml is missing (package user-mode-linux)';
  if (!existsSync(MODULES)) return `${MODULES} is missing (package user-mode-linux)`;
  const modprobe = ['/sbin/modprobe', '/usr/sbin/modprobe'].some((path) => existsSync(path));
  return modprobe ? undefined : 'modprobe is missing (package kmod)';
}

export type Guest = {
  /** Shell text, run by sh in `directory`; OUT names the shared directory. */
  readonly command: string;
  readonly directory: string;
  readonly limitMs: number;
  readonly memory: string;
};

export type GuestEnd = {
  /** Of the command; undefined when the guest ended without one. */
  readonly status: number | undefined;
  readonly console: string;
  /** What the command wrote into OUT, by name. */
  readonly file: (name: string) => string;
  /** Removes OUT. */
  readonly forget: () => void;
};

export async function bootUml(guest: Guest): Promise<GuestEnd> {
  const scratch = mkdtempSync(join(tmpdir(), 'pirs-uml-'));
  const out = join(scratch, 'out');
  mkdirSync(out);
  const init = join(scratch, 'init');
  writeFileSync(init, initScript(guest, out));
  chmodSync(init, 0o755);
  const console = await run(
    [
      `mem=${guest.memory}`,
      ...['rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', 'loglevel=3', `init=${init}`],
      ...['con=null', 'con0=null,fd:1', `uml_dir=${scratch}/`, 'umid=guest'],
    ],
    { scratch, limitMs: guest.limitMs },
  );
  const file = (name: string): string => {
    const path = join(out, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const status = file('status').trim();
  return {
    status: status === '' ? undefined : Number(status),
    console,
    file,
    forget: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

function initScript({ command, directory }: Guest, out: string): string {
  return [
    '#!/bin/sh',
    `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run OUT='${out}'`,
    'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run',
    'mount -t devpts devpts /dev/pts 2>/dev/null',
    'ln -sf /proc/self/fd /dev/fd; ln -sf /proc/self/fd/2 /dev/stderr',
    'mkdir -p /run/tmp /run/modules/lib/modules; export TMPDIR=/run/tmp',
    `ln -s ${MODULES}/$(uname -r) /run/modules/lib/modules/`,
    'mount -t hostfs -o "$OUT" none "$OUT"',
    'ip link set lo up',
    `cd '${directory}'`,
    `( ${command} ) </dev/null; echo $? >"$OUT/status"`,
    'sync; poweroff -f',
    '',
  ].join('\n');
}

/** Runs linux.uml in a process group of its own, to its end or to ours; gives what its console showed. */
function run(
  words: readonly string[],
  { scratch, limitMs }: { readonly scratch: string; readonly limitMs: number },
): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('/usr/bin/linux.uml', words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: scratch },
    });
    let shown = '';
    const show = (bytes: Buffer): void => {
      shown = (shown + bytes.toString()).slice(-65_536);
    };
    child.stdout.on('data', show);
    child.stderr.on('data', show);
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nobody of the group is left, which is what was wanted.
      }
    };
    const limit = setTimeout(() => {
      show(Buffer.from(`\nthe guest was ended after ${limitMs / 1000} s\n`));
      kill();
    }, limitMs);
    const stop = (): void => {
      kill();
      rmSync(scratch, { recursive: true, force: true });
      process.exit(143);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    child.once('error', (error) => show(Buffer.from(error.message)));
    child.once('close', () => {
      clearTimeout(limit);
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      kill();
      resolve(shown);
    });
  });
}
