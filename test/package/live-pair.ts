/**
 * A pair of machines on one segment, as a person would set it up: the configuration, a check program, and a client that asks
 * for the VIP all the while. What is asked of a machine here is asked in its own words: its kernel's, its director's.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { TestContext } from 'node:test';
import { Machine, openSegment, until } from './machine.ts';
import { Packages } from './packages.ts';
import type { Counted } from './prober.ts';

export const VIP = '198.51.100.100';
export const DEADTIME_MS = 2000;
export const CONFIGURATION = '/etc/sysconfig/ha/lvs.cf';

export const LVS_CF = `serial_no = 1
primary = 198.51.100.11
backup = 198.51.100.12
backup_active = 1
keepalive_ms = 200
deadtime_ms = ${DEADTIME_MS}
network = direct
heartbeat_key_file = /etc/sysconfig/ha/heartbeat.key
active_cmd = /usr/local/bin/activated

virtual www {
    active = 1
    address = ${VIP} eth0:1
    vip_nmask = 255.255.255.0
    port = 80
    scheduler = wrr
    send_program = "/usr/local/bin/probe %h"
    expect = "OK"
    server web-a {
        active = 1
        address = 198.51.100.21
        weight = 1
    }
}
`;
/** Healthy only for a check without rights: neither root nor able to write where root may. */
const PROBE =
  '#!/bin/sh\n[ "$(id -un)" = nobody ] && ! touch /etc/sysconfig/ha/x 2>/dev/null && echo OK\n';

const HOOK = '#!/bin/sh\nip route replace blackhole 203.0.113.0/24\n';

/** Asks for the VIP from the segment all the while. */
class Prober {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  /** `within`: the words by which a program is started on the segment. */
  constructor(within: readonly string[]) {
    const script = join(import.meta.dirname, 'prober.ts');
    const [program = '', ...words] = [...within, process.execPath, script, VIP];
    this.#child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    assert.ok(this.#child.stdout !== null);
    this.#lines = createInterface(this.#child.stdout);
  }

  /** Since the last time. */
  async count(): Promise<Counted> {
    this.#child.stdin?.write('\n');
    const signal = AbortSignal.timeout(10_000);
    const [line] = await once(this.#lines, 'line', { signal });
    return JSON.parse(line);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

export class LivePair {
  readonly packages = new Packages();
  readonly segment = openSegment();
  readonly primary = this.#machine('primary', '198.51.100.11');
  readonly backup = this.#machine('backup', '198.51.100.12');
  #prober: Prober | undefined;

  #machine(name: string, address: string): Machine {
    return new Machine({ name, address, path: join(this.packages.scratch, name) });
  }

  get both(): readonly [Machine, Machine] {
    return [this.primary, this.backup];
  }

  /** Only the primary is on the segment yet. */
  async boot(): Promise<void> {
    await Promise.all(this.both.map((machine) => machine.boot()));
    this.primary.connect(this.segment);
    this.#prober = new Prober(this.segment.within());
  }

  async close(): Promise<void> {
    this.#prober?.close();
    await Promise.all(this.both.map((machine) => machine.close()));
    this.segment.close();
    this.packages.close();
  }

  /** The one with the VIP, and the other. */
  whoIsWho(): readonly [Machine, Machine] {
    const { primary, backup } = this;
    const isPrimary = has(primary);
    assert.notEqual(has(backup), isPrimary, 'one has the VIP');
    return isPrimary ? [primary, backup] : [backup, primary];
  }

  /** What clients felt so far is of no interest. */
  async forget(): Promise<void> {
    await this.#prober?.count();
  }

  /** What clients felt since the last time, said for people; gives the longest silence and what was lost. */
  async felt(t: TestContext, what: string): Promise<Counted> {
    assert.ok(this.#prober !== undefined);
    const counted = await this.#prober.count();
    const { sent, lost, longestSilenceMs } = counted;
    t.diagnostic(`${what}: ${lost} of ${sent} probes lost, silence of ${longestSilenceMs} ms`);
    return counted;
  }
}

export function write(machine: Machine, path: string, text: string, mode = 0o644): void {
  writeFileSync(join(machine.path, path), text, { mode });
}

/** What a person puts on each node before the first start. */
export function configure(machine: Machine): void {
  write(machine, CONFIGURATION, LVS_CF);
  write(machine, '/etc/sysconfig/ha/heartbeat.key', '00112233445566778899aabbccddeeff\n', 0o600);
  write(machine, '/usr/local/bin/probe', PROBE, 0o755);
  write(machine, '/usr/local/bin/activated', HOOK, 0o755);
}

/** Is the VIP on its device? */
export function has(machine: Machine): boolean {
  return machine.sh('ip -4 addr show dev eth0').includes(`inet ${VIP}/`);
}

/** The command line of its director. */
export function runs(machine: Machine): string {
  return machine.sh(`tr '\\0' ' ' </proc/${machine.property('MainPID')}/cmdline`);
}

/** How often systemd has started its director again. */
export function restartsOf(machine: Machine): number {
  return Number(machine.property('NRestarts'));
}

/** Of its own director, by its own word. */
export function roleOf(machine: Machine): string {
  const { output } = machine.try('piranha status --json 2>/dev/null');
  return output.startsWith('{') ? JSON.parse(output).role : '';
}

export async function owns(machine: Machine): Promise<void> {
  const isOwner = () => roleOf(machine) === 'active' && has(machine);
  await until(isOwner, `${machine.name} to own the VIP`);
}

export async function standsBy(machine: Machine): Promise<void> {
  const isStandby = () => roleOf(machine) === 'standby' && !has(machine);
  await until(isStandby, `${machine.name} to stand by`);
}
