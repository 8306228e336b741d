/**
 * A Debian machine with its own systemd, made of namespaces (machine.sh) on a copy of the clean root, and the segment that
 * such machines share. All of it ends with this process, however it ends.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanRootObstacle, copyCleanRoot } from './clean-root.ts';
import { ENVIRONMENT, Namespaces, type Ran, run } from './namespaces.ts';

const SCRIPT = join(import.meta.dirname, 'machine.sh');
/** Ten times what anything takes: a crowded machine must not fail a test. */
const LIMIT_MS = 40_000;
const LOOK_MS = 50;

/** Why there can be no such machine here, in words. */
export function machineObstacle(): string | undefined {
  const missing = cleanRootObstacle();
  if (missing !== undefined) return missing;
  const { status, output } = run(SCRIPT, ['try']);
  return status === 0 ? undefined : `systemd cannot run in namespaces here: ${output.trim()}`;
}

export class Machine {
  readonly name: string;
  readonly path: string;
  readonly #address: string;
  #supervisor: ChildProcess | undefined;
  #init = 0;

  /** Its root is a copy at `path`. */
  constructor({ name, address, path }: Readonly<Record<'name' | 'address' | 'path', string>>) {
    this.name = name;
    this.path = path;
    this.#address = address;
    copyCleanRoot(path);
  }

  /** Until systemd has started what it starts. */
  async boot(): Promise<void> {
    // A group and an environment of its own: whoever ends the tests leaves it the moment that it needs to clean up.
    const supervisor = spawn(SCRIPT, [`piranha-sd-${process.pid}-${this.name}`, this.path], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
      env: ENVIRONMENT,
    });
    this.#supervisor = supervisor;
    const signal = AbortSignal.timeout(LIMIT_MS);
    const [line] = await once(createInterface(supervisor.stdout), 'line', { signal });
    this.#init = Number(line);
    const isUp = () => /^(running|degraded)$/m.test(this.try('systemctl is-system-running').output);
    await until(isUp, `systemd of ${this.name} to come up`);
  }

  /** Ends it and everything in it, whatever state it is in, and waits until its cgroups are gone. */
  async close(): Promise<void> {
    const supervisor = this.#supervisor;
    this.#supervisor = undefined;
    if (supervisor === undefined || supervisor.exitCode !== null) return;
    supervisor.stdin?.end();
    const [status] = await once(supervisor, 'exit');
    assert.equal(status, 0, `${this.name} left something behind`);
  }

  /** Runs shell text as root, from outside its cgroup. */
  try(text: string): Ran {
    return run('nsenter', ['-t', `${this.#init}`, '-m', '-u', '-i', '-n', '-p', 'sh', '-c', text]);
  }

  /** The same, which must end well; gives what was said. */
  sh(text: string): string {
    const { status, output } = this.try(text);
    assert.equal(status, 0, `${this.name}: ${text}\n${output}`);
    return output;
  }

  /** Until `text` says what is looked for. */
  async says(text: string, wanted: RegExp): Promise<void> {
    let output = '';
    const look = () => {
      output = this.try(text).output;
      return wanted.test(output);
    };
    await until(look, () => `${this.name}: ${text} to say ${wanted}:\n${output}`);
  }

  /** Until the journal of a unit has a line with these words. */
  logs(wanted: RegExp, unit = 'piranha'): Promise<void> {
    return this.says(`journalctl -q -o cat -u ${unit}`, wanted);
  }

  /** One property of a unit, as `systemctl show` has it. */
  property(name: string, unit = 'piranha'): string {
    return this.sh(`systemctl show -P ${name} ${unit}`).trim();
  }

  /** Plugs eth0 into a segment, with its address. */
  connect(segment: Namespaces): void {
    const port = `port-${this.name}`;
    const { status, output } = segment.run(
      'sh',
      '-ec',
      `ip link add name ${port} type veth peer name eth0 netns ${this.#init}
       ip link set dev ${port} master lan up`,
    );
    assert.equal(status, 0, output);
    this.sh(`ip link set dev lo up && ip link set dev eth0 up && ip addr add ${this.#address}/24 dev eth0
      ip route add default via 198.51.100.1`);
  }
}

/** A segment with a router (.1) and a real server (.21) that knows how to answer for nothing but its own address. */
export function openSegment(): Namespaces {
  const segment = new Namespaces('net');
  const { status, output } = segment.run(
    'sh',
    '-ec',
    `ip link set dev lo up
     ip link add name lan type bridge forward_delay 0 stp_state 0
     ip link set dev lan up
     ip addr add 198.51.100.1/24 dev lan
     ip addr add 198.51.100.21/24 dev lan`,
  );
  assert.equal(status, 0, output);
  return segment;
}

/** Waits for a fact; `what` says what never came. */
export async function until(isTrue: () => boolean, what: string | (() => string)): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  while (!isTrue()) {
    if (performance.now() > limit) {
      const text = typeof what === 'string' ? what : what();
      assert.fail(`waited ${LIMIT_MS / 1000} s for ${text}`);
    }
    await sleep(LOOK_MS);
  }
}
