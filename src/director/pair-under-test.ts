/**
 * For tests of changes: two real directors on a segment, each with its own lvs.cf and state directory, and a key, so that
 * each can ask the other through the couriers.
 */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, type Ran, until } from './daemon-under-test.ts';
import { type NodeName, OWN, TestSegment, VIP } from './segment-under-test.ts';

export const KEY = '00112233445566778899aabbccddeeff';

export class TestPair {
  readonly segment = new TestSegment();

  async build(): Promise<void> {
    chmodSync(this.segment.directory, 0o711); // as /run is: the courier is nobody
    await this.segment.build();
  }

  async close(): Promise<void> {
    this.segment.switchRule(undefined);
    await this.segment.close();
  }

  text(weight: number, ...more: readonly string[]): string {
    return `${[
      'serial_no = 7 # counted',
      `primary = ${OWN.primary}`,
      `backup = ${OWN.backup}`,
      'backup_active = 1',
      'keepalive_ms = 200',
      'deadtime_ms = 2000',
      'network = direct',
      'dataplane = none',
      `heartbeat_key_file = ${join(this.segment.directory, 'key')}`,
      ...more,
      'virtual web {',
      '    active = 1',
      `    address = ${VIP} eth0:1`,
      '    server a {',
      '        address = 198.51.100.21',
      '        active = 1',
      `        weight = ${weight}`,
      '    }',
      '}',
    ].join('\n')}\n`;
  }

  fileOf(node: NodeName): string {
    return join(this.segment.runDirectory(node), 'lvs.cf');
  }

  read(node: NodeName): string {
    return readFileSync(this.fileOf(node), 'utf8');
  }

  start(node: NodeName): Daemon {
    const state = join(this.segment.directory, `state-${node}`);
    return this.segment.pulse(node, '-c', this.fileOf(node), '--state-dir', state);
  }

  /** Both run with the same file, the primary is active, and each can ask the other. */
  async run(): Promise<{ readonly first: Daemon; readonly second: Daemon }> {
    writeFileSync(join(this.segment.directory, 'key'), `${KEY}\n`, { mode: 0o600 });
    for (const node of ['primary', 'backup'] as const) {
      writeFileSync(this.fileOf(node), this.text(3));
    }
    const first = this.start('primary');
    await first.says('198.51.100.1 sends');
    const second = this.start('backup');
    await second.says('partner heard');
    await this.channel('primary');
    await this.channel('backup');
    return { first, second };
  }

  /** Waits until this node can ask the other one. */
  async channel(node: NodeName): Promise<void> {
    let said = '';
    const isOpen = (): boolean => {
      const { status, stderr } = this.piranha(node, 'diff', '--partner');
      said = stderr;
      return status === 0;
    };
    const fail = (error: Error): never => assert.fail(`${error.message}: ${said}`);
    await until(isOpen, 'the channel').catch(fail);
  }

  piranha(node: NodeName, verb: string, ...words: readonly string[]): Ran {
    return this.segment.piranha(node, verb, ...words);
  }

  /** Writes a text where an operator would have it, and applies it. */
  apply(node: NodeName, text: string, ...words: readonly string[]): Ran {
    const file = join(this.segment.directory, 'wish.cf');
    writeFileSync(file, text);
    const about = ['--author', 'alice', '--reason', 'ticket 4411'];
    return this.piranha(node, 'apply', file, ...about, ...words);
  }

  weight(node: NodeName): string | undefined {
    return /weight = (\d+)/.exec(this.read(node))?.[1];
  }

  bothWeigh(weight: string): boolean {
    return this.weight('primary') === weight && this.weight('backup') === weight;
  }

  /** What the daemon runs by, not what the file says. */
  runningSerial(node: NodeName): number {
    const { stdout } = this.piranha(node, 'status', '--json');
    return Number(JSON.parse(stdout).configuration?.serialNo ?? Number.NaN);
  }
}
