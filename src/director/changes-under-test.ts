/**
 * For tests of changes: one node with a real grammar, file and history, and an imagined kernel; its partner is another one,
 * asked without a network.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { Settings } from '../model/index.ts';
import { digestText } from '../wire/index.ts';
import { ChangeDesk } from './change-desk.ts';
import type { ApplyRequest } from './changes.ts';
import type { Partner, PartnerAnswer, PartnerQuestion } from './partner-client.ts';
import { pulsePlan } from './plan.ts';

export const textOf = (weight: number, more = ''): string => `serial_no = 7 # counted
primary = 198.51.100.11
backup = 198.51.100.12
backup_active = 1
network = direct
${more}virtual web {
    active = 1
    address = 198.51.100.100 eth0:1
    server a {
        address = 198.51.100.21
        active = 1
        weight = ${weight}
    }
}
`;

/** A configuration in force: the grammar is the real one, the kernel agrees with everything but `weight = 13`. */
class Running {
  readonly file: string;
  settings: Settings;
  digest: string;
  reloads = 0;

  constructor(file: string) {
    this.file = file;
    ({ settings: this.settings, digest: this.digest } = this.#read());
  }

  get plan() {
    return pulsePlan(this.settings, 'primary');
  }

  check(text: string): Result<Settings, readonly string[]> {
    const { settings, problems } = parseSettings(text, { file: this.file });
    return settings === undefined ? err(problems.map(({ message }) => message)) : ok(settings);
  }

  async reload(): Promise<Result<readonly string[], readonly string[]>> {
    this.reloads++;
    ({ settings: this.settings, digest: this.digest } = this.#read());
    return this.weight === 13 ? err(['the kernel refuses thirteen']) : ok([]);
  }

  get weight(): number {
    return this.settings.virtualServices[0]?.realServers[0]?.weight ?? 0;
  }

  #read() {
    const text = readFileSync(this.file, 'utf8');
    const { settings } = parseSettings(text, { file: this.file });
    if (settings === undefined) throw new Error('a file was put in force that cannot be read');
    return { settings, digest: digestText(text) };
  }
}

/** One node; its partner is another one, asked without a network. */
export class Side {
  readonly directory = mkdtempSync(join(tmpdir(), 'pirc-'));
  readonly file = join(this.directory, 'lvs.cf');
  readonly log: string[] = [];
  readonly running: Running;
  /** What the kernel says of the newest file. */
  settled: () => Promise<string | undefined> = async () => undefined;
  readonly partner = new Wire();
  desk: ChangeDesk;

  constructor(isActive: boolean) {
    writeFileSync(this.file, textOf(3));
    this.running = new Running(this.file);
    this.desk = this.open(isActive);
  }

  open(isActive: boolean): ChangeDesk {
    return new ChangeDesk({
      file: this.file,
      stateDirectory: join(this.directory, 'state'),
      runDirectory: this.directory,
      configuration: this.running,
      role: () => (isActive ? 'active' : 'standby'),
      settled: () => this.settled(),
      holdingChannel: (work) => work(),
      overrides: () => [],
      tell: (lines) => this.log.push(...lines),
      partner: this.partner,
    });
  }

  request(text: string, more: Partial<ApplyRequest> = {}): ApplyRequest {
    const who = { author: 'alice', reason: '4411', isVerbatim: false, isPair: false };
    return { text, ifMatch: digestText(readFileSync(this.file, 'utf8')), ...who, ...more };
  }

  get text(): string {
    return readFileSync(this.file, 'utf8');
  }

  get historyFile(): string {
    return join(this.directory, 'state', 'history', 'changes.json');
  }

  /** `8 kept`, newest first. */
  get history(): readonly string[] {
    const history = this.desk.history();
    return history.ok ? history.value.map(({ serial, state }) => `${serial} ${state}`) : [];
  }

  close(): void {
    this.desk.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** The channel, cut before or after the nth question has arrived, and from then on. */
class Wire implements Partner {
  to: ChangeDesk | undefined;
  asked: string[] = [];
  cutAt = Number.POSITIVE_INFINITY;
  isAnswerLost = false;

  async ask({ path, body, ifMatch }: PartnerQuestion): Promise<Result<PartnerAnswer, string>> {
    this.asked.push(path);
    const isCut = this.asked.length >= this.cutAt;
    const isFirst = this.asked.length === this.cutAt;
    if (isCut && !(isFirst && this.isAnswerLost)) return err('cut');
    const answer = await this.#deliver(path, new Map(Object.entries(body ?? {})), ifMatch ?? '');
    return isCut ? err('cut') : answer;
  }

  async #deliver(path: string, body: ReadonlyMap<string, unknown>, ifMatch: string) {
    const { to } = this;
    if (to === undefined) return err('nobody');
    const text = String(body.get('text'));
    const request = {
      text,
      ifMatch,
      author: String(body.get('author')),
      reason: '',
      isVerbatim: true,
      isPair: true,
      confirmMs: Number(body.get('confirmMs')),
    };
    const ask = {
      '/v1/config': async () => to.config(),
      '/v1/config/history': async () => versionsOf(to.history()),
      '/v1/config/check': async () => ok(to.check(text)),
      '/v1/config/apply': () => to.apply(request, false),
      '/v1/config/confirm': () => to.confirm('the partner', true),
      '/v1/config/rollback': () => to.undo('the partner', true),
    }[path];
    const done = await ask?.();
    if (done === undefined) return err('nothing there');
    const fields: object = done.ok ? done.value : done.error;
    return ok({ code: done.ok ? 200 : 409, fields: new Map(Object.entries(fields)) });
  }
}

function versionsOf(history: ReturnType<ChangeDesk['history']>) {
  return history.ok ? ok({ versions: history.value }) : history;
}

export async function until(isTrue: () => boolean): Promise<void> {
  for (const end = performance.now() + 5000; !isTrue(); await sleep(5)) {
    assert.ok(performance.now() < end, `${isTrue}`);
  }
}

/** From now on the file system refuses to replace this file: something that cannot be removed is where the new one is written. */
export function block(file: string): void {
  mkdirSync(`${file}.new`);
}

export function unblock(file: string): void {
  rmdirSync(`${file}.new`);
}
