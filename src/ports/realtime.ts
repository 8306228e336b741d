/**
 * The scheduling class of a thread. SCHED_RR for the pulse worker alone: given to the whole process
 * it starves its own helpers, and memory locking makes V8 abort, so neither is offered. Source:
 * sched(7).
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import { native } from './native.ts';

/**
 * Gives this thread SCHED_RR with `priority` (1-99; other real-time work of a machine is often
 * below 50), or the ordinary class with 0. EPERM without CAP_SYS_NICE or RLIMIT_RTPRIO. Processes
 * and threads it starts do not inherit.
 */
export function setRealtime(priority: number): PortError | undefined {
  const result = native().setRealtime(priority);
  return result < 0 ? portError('sched_setscheduler', `priority ${priority}`, result) : undefined;
}

/** This thread's SCHED_RR priority; 0 when it has another class. */
export function realtimePriority(): number {
  return Math.max(0, native().getRealtime());
}

/** The name that ps -L and top show for this thread: 1-15 bytes. */
export function setThreadName(name: string): void {
  native().setThreadName(name);
}

/**
 * Sets the nice value of every thread this process has now; processes it starts later from them inherit it. Real-time
 * threads keep their class. False: not permitted (no CAP_SYS_NICE, setpriority(2)).
 *
 * Why the ordinary threads matter to the real-time one: they share a memory map. Who holds its lock while a full
 * machine takes the processor away holds up everybody's page faults.
 */
export function setNice(nice: number): boolean {
  try {
    for (const task of readdirSync('/proc/self/task')) setPriority(Number(task), nice);
    return true;
  } catch {
    return false; // EACCES, EPERM; ESRCH: a thread that has ended meanwhile
  }
}
