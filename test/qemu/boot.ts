/**
 * Boots a stock Debian kernel in QEMU with this machine's file system and runs one command in it: what user-mode Linux
 * cannot show, a kernel lease (netdev family of nf_tables) in front of a real IPVS, on a kernel that people run.
 *
 * The processor is emulated (TCG), so it works without KVM and in containers; it is five to ten times slow and says
 * nothing about time. The guest sees `/` read-only over 9p and writes into one directory of the host, OUT, where the
 * command's exit status comes back. Rejected: KVM where /dev/kvm exists (it opens on machines where no guest boots).
 * Source: qemu-system(1), Documentation/filesystems/9p.rst.
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
import { initramfs } from './initramfs.ts';
import type { Machine } from './packages.ts';

export type Guest = {
  /** Shell text, run by sh in `directory`; OUT names the shared directory. */
  readonly command: string;
  readonly directory: string;
  /** Loaded before the command. */
  readonly kernelModules: readonly string[];
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

export async function bootQemu(machine: Machine, guest: Guest): Promise<GuestEnd> {
  const scratch = mkdtempSync(join(tmpdir(), 'pire-qemu-'));
  const out = join(scratch, 'out');
  mkdirSync(out);
  const init = join(scratch, 'init');
  writeFileSync(init, initScript(machine, guest, out));
  chmodSync(init, 0o755);
  const initrd = join(scratch, 'initrd');
  writeFileSync(initrd, initramfs(machine, init));
  const console = await run(machine, qemuWords(machine, guest, { initrd, out }), guest.limitMs);
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

function qemuWords(
  machine: Machine,
  guest: Guest,
  { initrd, out }: { readonly initrd: string; readonly out: string },
): readonly string[] {
  const share = (id: string, path: string, mode: string) => [
    '-fsdev',
    `local,id=${id},path=${path},security_model=none,multidevs=remap${mode}`,
    '-device',
    `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  return [
    ...machine.firmware.flatMap((path) => ['-L', path]),
    ...[
      '-M',
      'q35',
      '-accel',
      'tcg,thread=multi,tb-size=512',
      '-cpu',
      'Nehalem,+rdrand',
      '-smp',
      '1',
    ],
    ...['-m', guest.memory, '-nodefaults', '-no-user-config', '-no-reboot', '-nic', 'none'],
    ...['-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci'],
    ...share('root', '/', ',readonly=on'),
    ...share('out', out, ''),
    ...['-kernel', machine.kernel, '-initrd', initrd],
    '-append',
    'console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr tsc=reliable',
  ];
}

/** Modules are loaded by a modprobe that knows where they are unpacked, also when the kernel itself asks for one. */
function initScript(machine: Machine, guest: Guest, out: string): string {
  return [
    '#!/bin/sh',
    `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run OUT='${out}'`,
    'mount -t tmpfs run /run; mkdir -p /run/tmp /dev/pts; export TMPDIR=/run/tmp',
    'mount -t devpts devpts /dev/pts',
    'ln -sf /proc/self/fd /dev/fd; ln -sf /proc/self/fd/2 /dev/stderr',
    'mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out "$OUT"',
    `printf '#!/bin/sh\\nexec /sbin/modprobe -d "${machine.modules}" "$@"\\n' >/run/modprobe`,
    'chmod 755 /run/modprobe; echo /run/modprobe >/proc/sys/kernel/modprobe',
    `/run/modprobe -a ${guest.kernelModules.join(' ')}`,
    'ip link set lo up',
    'echo yes >"$OUT/started"',
    `cd '${guest.directory}'`,
    `( ${guest.command} ) </dev/null; echo $? >"$OUT/status"`,
    'sync; echo o >/proc/sysrq-trigger; sleep 5',
    '',
  ].join('\n');
}

/** Runs QEMU in a process group of its own, to its end or to ours; gives what the console showed. */
function run(machine: Machine, words: readonly string[], limitMs: number): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(machine.qemu, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, LD_LIBRARY_PATH: machine.libraries },
    });
    let shown = '';
    const show = (bytes: Buffer): void => {
      shown = (shown + bytes.toString()).slice(-65_536);
    };
    child.stdout.on('data', show);
    child.stderr.on('data', show);
    const limit = setTimeout(() => {
      show(Buffer.from(`\nthe guest was ended after ${limitMs / 1000} s\n`));
      child.kill('SIGKILL');
    }, limitMs);
    const stop = (): void => {
      child.kill('SIGKILL');
      process.exit(143);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    child.once('error', (error) => show(Buffer.from(error.message)));
    child.once('close', () => {
      clearTimeout(limit);
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      resolve(shown);
    });
  });
}
