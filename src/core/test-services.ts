/**
 * The services machine with its crank turned by hand, for tests of the core: `probe`, `override`, `wake` feed inputs as the
 * runner would, `rows` and `notes` tell what came out of the last one. `section` and `settings` make short lvs.cf files.
 */
import { assert, type Instant, instant } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { down, type ServiceTable, type Settings, serviceKeyText, UP } from '../model/index.ts';
import { stepServices } from './services.ts';
import { desiredTable, initialServices, type ServicesState } from './services-state.ts';
import type { Override, ServicesEffect, ServicesInput } from './services-types.ts';

export const HEAD = `primary = 198.51.100.11
service = lvs
network = direct
hard_shutdown = 0
`;

export function section(name: string, body: string, servers: readonly string[]): string {
  const blocks = servers.map((server) => {
    const [label = '', last = '', weight = '1'] = server.split(' ');
    return `server ${label} {\n address = 198.51.100.${last}\n active = 1\n weight = ${weight}\n }`;
  });
  const vip = body.includes('address =') ? '' : 'address = 198.51.100.100 eth0:1\n';
  return `virtual ${name} {\n active = 1\n ${vip}${body}\n${blocks.join('\n')}\n}\n`;
}

export function settings(text: string, head = HEAD): Settings {
  const verdict = parseSettings(head + text, { file: 'lvs.cf' });
  assert(verdict.settings !== undefined, JSON.stringify(verdict.problems));
  return verdict.settings;
}

/** Turns the crank by hand: a clock, the last effects, and servers called up and down by address. */
export class Bench {
  state: ServicesState = initialServices();
  effects: readonly ServicesEffect[] = [];
  now = 1000;

  feed(input: ServicesInput): this {
    const { state, effects } = stepServices(this.state, input);
    this.state = state;
    this.effects = effects;
    return this;
  }

  load(wish: Settings, standing?: ServiceTable): this {
    const base = { kind: 'settings', now: this.at(), settings: wish } as const;
    return this.feed(standing === undefined ? base : { ...base, standing });
  }

  /** `probe('21', false)`: every check of that server fails. */
  probe(last: string, isUp = true): this {
    const keys = [...this.state.plan.checks.values()].filter((c) => c.address.endsWith(`.${last}`));
    assert(keys.length > 0, `nobody checks ${last}`);
    const verdict = isUp ? UP : down('connect-refused', 'refused');
    return this.feed({
      kind: 'verdicts',
      now: this.at(),
      verdicts: keys.map(({ key }) => ({ check: key, verdict })),
    });
  }

  override(target: string, override?: Override): this {
    const base = { kind: 'override', now: this.at(), target } as const;
    return this.feed(override === undefined ? base : { ...base, override });
  }

  wake(now: number): this {
    this.now = now;
    return this.feed({ kind: 'wake', now: this.at() });
  }

  at(): Instant {
    return instant(this.now);
  }

  /** `tcp 198.51.100.100:80: .21 w1, .22 w1` */
  rows(): string[] {
    return desiredTable(this.state).map(({ service, destinations }) => {
      const list = destinations.map((row) => `.${row.address.split('.')[3]} w${row.weight}`);
      return `${serviceKeyText(service.key)}: ${list.join(', ')}`.trim();
    });
  }

  notes(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind !== 'note') return effect.kind === 'hook' ? [`hook ${effect.command}`] : [];
      const { note } = effect;
      if (note.kind === 'server') return [`${note.server} ${note.weight} ${note.reason}`];
      if (note.kind === 'sorry') return [`sorry ${note.isShown}`];
      return note.kind === 'quorum' ? [`quorum ${note.isReached}`] : [`ended ${note.target}`];
    });
  }

  tables(): number {
    return this.effects.filter((effect) => effect.kind === 'table').length;
  }
}

export const TWO: string = section('web', 'port = 80', ['a 21', 'b 22']);
export const SORRY: string = section('web', 'sorry_server = 198.51.100.99\nreentry = 10', [
  'a 21',
  'b 22',
]);
/** An operator's number. */
export const weigh = (weight: number): Override => ({ kind: 'weight', weight });
