/**
 * The first file system of the guest: a shell and the modules by which it reaches the host's files, as one cpio archive
 * in the `newc` form (Documentation/driver-api/early-userspace/buffer-format.rst). Written here in twenty lines, because a
 * test must not depend on cpio(1).
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Machine } from './packages.ts';

type Entry = { readonly name: string; readonly mode: number; readonly bytes?: Uint8Array };

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
/** What the host's file system comes through. */
const NEEDED = ['virtio_pci', '9pnet_virtio', '9p', 'virtio_rng'];

/** The guest mounts the host's `/` read-only, moves into it and starts `init` there. */
export function initramfs(machine: Machine, init: string): Uint8Array {
  const modules = inLoadOrder(machine, NEEDED);
  const script = [
    '#!/bin/busybox sh',
    'busybox=/bin/busybox',
    '$busybox mount -t proc proc /proc; $busybox mount -t sysfs sys /sys',
    '$busybox mount -t devtmpfs dev /dev',
    ...modules.map((path) => `$busybox insmod /modules/${basename(path)}`),
    '$busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /root',
    'for place in proc sys dev; do $busybox mount --move /$place /root/$place; done',
    `exec $busybox switch_root /root ${init}`,
    '',
  ].join('\n');
  const directories = ['bin', 'modules', 'proc', 'sys', 'dev', 'root'];
  const entries: readonly Entry[] = [
    ...directories.map((name) => ({ name, mode: DIRECTORY })),
    { name: 'bin/busybox', mode: PROGRAM, bytes: readFileSync(machine.busybox) },
    { name: 'init', mode: PROGRAM, bytes: Buffer.from(script) },
    ...modules.map((path) => ({
      name: `modules/${basename(path)}`,
      mode: PROGRAM,
      bytes: readFileSync(path),
    })),
    { name: 'TRAILER!!!', mode: 0 },
  ];
  return gzipSync(Buffer.concat(entries.map(encodeEntry)), { level: 1 });
}

/** Paths of the modules and of what they depend on, dependencies first. A module built into the kernel has none. */
function inLoadOrder({ modules, version }: Machine, names: readonly string[]): readonly string[] {
  const base = join(modules, 'lib/modules', version);
  const lines = readFileSync(join(base, 'modules.dep'), 'utf8').split('\n');
  const order = new Set<string>();
  for (const name of names) {
    const line = lines.find((text) => text.includes(`/${name}.ko:`)) ?? '';
    const [path = '', ...needs] = line.replace(':', '').trim().split(/\s+/);
    for (const each of [...needs.reverse(), path]) if (each !== '') order.add(join(base, each));
  }
  return [...order];
}

/** Thirteen numbers of eight hexadecimal digits after the magic; name and contents padded to four bytes. */
function encodeEntry({ name, mode, bytes = new Uint8Array() }: Entry, index: number): Buffer {
  const links = mode === DIRECTORY ? 2 : 1;
  const nameSize = name.length + 1;
  const numbers = [index + 1, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, nameSize, 0];
  const header = numbers.map((number) => number.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([padded(Buffer.from(`070701${header}${name}\0`)), padded(bytes)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
