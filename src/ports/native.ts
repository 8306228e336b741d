/**
 * The addon of native/piranha.c: its face, and where it is found.
 *
 * Every function checks its arguments and throws a TypeError that begins with the argument's name;
 * what the kernel refuses comes back as a negative errno (`portError` in errno.ts makes a value of
 * it). Nothing above this room sees these numbers.
 *
 * Found in `native/prebuilds/linux-ARCH` (committed, x64), else in `build/linux-ARCH` (made by
 * native/build.sh on other machines), else we say what to do. PIRANHA_NATIVE_DIRECTORY names
 * another directory, for sanitizer runs.
 * Rejected: building silently at load (a director that starts must not wait for a compiler).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

declare const watcherBrand: unique symbol;
/** Stands for one watched descriptor; given back to `unwatch`. */
export type Watcher = { readonly [watcherBrand]: true };

/** A result of the kernel: 0 or more, or a negative errno. */
export type KernelResult = number;

export type Native = {
  /** SHA-256 of the piranha.c it was built from. */
  readonly sourceHash: string;
  /** Bytes of one source address in `recvmmsg`'s list. */
  readonly addressStride: number;

  /**
   * socket(2): AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET as SOCK_DGRAM or SOCK_RAW; never
   * blocks.
   */
  socket(domain: number, type: number, protocol: number): KernelResult;
  /** bind(2); `address` is a sockaddr in the kernel's layout (socket-address.ts). */
  bind(fd: number, address: Uint8Array): KernelResult;
  connect(fd: number, address: Uint8Array): KernelResult;
  /** getsockname(2) into `address` (2-128 bytes); gives the length of the name. */
  getsockname(fd: number, address: Uint8Array): KernelResult;
  /** setsockopt(2) with an int or bytes; options that hold pointers are refused. */
  setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): KernelResult;
  /** getsockopt(2) into `into` (1-4096 bytes); gives the number of bytes written. */
  getsockopt(fd: number, level: number, name: number, into: Uint8Array): KernelResult;
  /** SO_ATTACH_FILTER: classic BPF, eight bytes an instruction, 1-4096 of them. */
  attachFilter(fd: number, instructions: Uint8Array): KernelResult;
  /** sendto(2) without waiting; gives the number of bytes sent. */
  send(fd: number, bytes: Uint8Array, address?: Uint8Array): KernelResult;
  /**
   * recvmmsg(2) without waiting, at most 64 messages: the i-th lies at `i * stride` of `arena`, its
   * length in `lengths[i]` (negative when it did not fit), its source at `i * addressStride` of
   * `addresses`. Gives their number.
   */
  recvmmsg(
    fd: number,
    arena: Uint8Array,
    stride: number,
    lengths: Int32Array,
    addresses?: Uint8Array,
  ): KernelResult;
  /**
   * sendmmsg(2) without waiting: 1-64 messages that lie one after the other in `arena`; gives how
   * many were sent.
   */
  sendmmsg(fd: number, arena: Uint8Array, lengths: Int32Array, address?: Uint8Array): KernelResult;
  /** close(2) of a descriptor from 3 on. */
  close(fd: number): KernelResult;

  /**
   * ppoll(2), the only call that blocks (the thread, its event loop too): `events[i]` holds what to
   * wait for on `fds[i]` and then what happened; at most 1024. `timeoutMs` may be a fraction or
   * Infinity. Gives how many are ready.
   */
  ppoll(fds: Int32Array, events: Int32Array, timeoutMs: number): KernelResult;
  /** eventfd(2): a counter by which one thread wakes another. */
  eventfd(): KernelResult;
  /** Adds `value` (1 - 2^53). */
  eventfdWrite(fd: number, value: number): KernelResult;
  /** Gives the sum and clears it; -EAGAIN when it is zero. */
  eventfdRead(fd: number): KernelResult;
  /**
   * Calls `callback(0)`, or `callback(-errno)`, each time the event loop finds `fd` readable; or
   * gives -errno.
   */
  watch(fd: number, callback: (status: KernelResult) => void): Watcher | KernelResult;
  /** No callback comes after it; a second time it does nothing. Before the descriptor is closed. */
  unwatch(watcher: Watcher): void;

  /**
   * clock_gettime(2) of CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME: milliseconds with
   * fractions.
   */
  clock(id: number): number;
  /**
   * This thread becomes SCHED_RR with `priority` 1-99, or SCHED_OTHER with 0. Its children do not
   * inherit it.
   */
  setRealtime(priority: number): KernelResult;
  /** This thread's SCHED_RR priority; 0 when it has another class. */
  getRealtime(): KernelResult;
  /** 1-15 bytes, shown by ps -L and top. */
  setThreadName(name: string): KernelResult;
  /**
   * setns(2): this thread moves into the network namespace behind `fd` (a file of /run/netns or
   * /proc/PID/ns/net); sockets that it opens from then on belong there. For the lab's observer; a
   * director never moves.
   */
  enterNetwork(fd: number): KernelResult;
  /** if_nametoindex(3) */
  interfaceIndex(name: string): KernelResult;
  /** if_indextoname(3): the name, or a negative errno. */
  interfaceName(index: number): string | KernelResult;
};

/** There is no usable addon; the message is one sentence that says what to do. */
export class NativeUnavailable extends Error {
  override readonly name = 'NativeUnavailable';
}

const root = join(import.meta.dirname, '..', '..');
const platform = `linux-${process.arch}`;
let loaded: Native | undefined;

/** The addon, loaded once a thread. Throws NativeUnavailable. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

/**
 * The path of a file of native/ that was built for this machine; throws NativeUnavailable when
 * there is none.
 */
export function nativeFile(name: 'piranha.node' | 'spawner'): string {
  const elsewhere = process.env.PIRANHA_NATIVE_DIRECTORY;
  const directories =
    elsewhere === undefined
      ? [join(root, 'native', 'prebuilds', platform), join(root, 'build', platform)]
      : [elsewhere];
  const found = directories.map((directory) => join(directory, name)).find(existsSync);
  if (found !== undefined) return found;
  throw new NativeUnavailable(
    `there is no ${name} for ${platform}; run ${join(root, 'native', 'build.sh')} (needs a C compiler).`,
  );
}

function load(): Native {
  const file = nativeFile('piranha.node');
  let found: Native;
  try {
    found = createRequire(import.meta.url)(file) as Native;
  } catch (error) {
    throw new NativeUnavailable(`${file} cannot be loaded: ${String(error)}`);
  }
  if (found.sourceHash !== sourceHash('piranha.c')) {
    throw new NativeUnavailable(
      `${file} was built from another piranha.c; run ${join(root, 'native', 'build.sh')} ${join(file, '..')}.`,
    );
  }
  return found;
}

/** SHA-256 of a source file of native/, as native/build.sh writes it into what it builds. */
export function sourceHash(name: 'piranha.c' | 'spawner.c'): string {
  return createHash('sha256')
    .update(readFileSync(join(root, 'native', name)))
    .digest('hex');
}
