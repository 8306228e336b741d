/**
 * H1, H7, H8: from an lvs.cf to the bytes that reach the kernel, read back as ipvsadm lines.
 * The expected lines stand beside the samples; UPDATE=1 writes them anew (then read the difference).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { after, type Instant, instant } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import {
  initialServices,
  type ServicesEffect,
  type ServicesInput,
  servicesWakeAt,
  stepServices,
} from '../core/index.ts';
import { down, type Settings, serviceKeyText, UP } from '../model/index.ts';
import { BootClock, IpvsPort } from '../ports/index.ts';
import { ImaginedIpvs } from './imagined-ipvs.ts';
import { refusalText } from './services-log.ts';
import { TableKeeper } from './table-keeper.ts';

const SAMPLES = join(import.meta.dirname, '..', '..', 'test', 'samples');

/** The services machine with imagined time, the real keeper and port, and a kernel made of bytes. */
class Life {
  readonly kernel = new ImaginedIpvs();
  readonly refusals: string[] = [];
  readonly failures: string[] = [];
  #keeper: TableKeeper;
  #state = initialServices();
  #now: Instant = instant(1000);

  constructor() {
    this.#keeper = new TableKeeper({
      port: new IpvsPort(this.kernel, 28),
      clock: new BootClock(),
      events: {
        onDrift: () => assert.fail('nobody else is here'),
        onTrouble: (error) => assert.fail(error?.code),
        onRefused: (refusals) => {
          for (const { operation, error } of refusals) {
            this.refusals.push(refusalText(operation, error, this.#state.plan));
          }
        },
      },
    });
  }

  close(): void {
    this.#keeper.close();
  }

  async use(settings: Settings): Promise<readonly string[]> {
    return this.#feed({ kind: 'settings', now: this.#now, settings });
  }

  /** A probe of every check that `isMeant` is about; all of them unless told. */
  async probe(isUp: boolean, isMeant: (text: string) => boolean = () => true) {
    const verdict = isUp ? UP : down('connect-refused', 'ECONNREFUSED');
    const checks = [...this.#state.plan.checks.values()].filter(({ key }) => isMeant(key));
    const verdicts = checks.map(({ key }) => ({ check: key, verdict }));
    return this.#feed({ kind: 'verdicts', now: this.#now, verdicts });
  }

  async refused(text: string): Promise<void> {
    await this.#feed({ kind: 'refused', now: this.#now, text });
  }

  /** Until every slow start is over. */
  async settle(): Promise<readonly string[]> {
    const lines: string[] = [];
    for (let dueAt = servicesWakeAt(this.#state); dueAt !== undefined; ) {
      this.#now = after(dueAt, 0);
      lines.push(...(await this.#feed({ kind: 'wake', now: this.#now })));
      dueAt = servicesWakeAt(this.#state);
    }
    return lines;
  }

  async stop(): Promise<readonly string[]> {
    const before = this.kernel.lines.length;
    this.#keeper.wish([]);
    await this.#keeper.idle();
    return this.kernel.lines.slice(before);
  }

  async #feed(input: ServicesInput): Promise<readonly string[]> {
    const before = this.kernel.lines.length;
    const { state, effects } = stepServices(this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#execute(effect);
    await this.#keeper.idle();
    return this.kernel.lines.slice(before);
  }

  #execute(effect: ServicesEffect): void {
    if (effect.kind === 'table') this.#keeper.wish(effect.table);
    if (effect.kind === 'failed') this.failures.push(effect.text);
  }
}

async function live(body: (life: Life) => Promise<void>): Promise<void> {
  const life = new Life();
  try {
    await body(life);
  } finally {
    life.close();
  }
}

function settingsOf(text: string): Settings {
  const { settings, problems } = parseSettings(text, {
    file: 'lvs.cf',
    servicePort: (name) => ({ domain: 53, ftp: 21, http: 80, https: 443, sip: 5060 })[name],
  });
  assert.ok(settings !== undefined, JSON.stringify(problems));
  return settings;
}

describe('H1: the writes that an lvs.cf means', () => {
  for (const name of readdirSync(SAMPLES).filter((file) => file.endsWith('.cf'))) {
    test(name, () =>
      live(async (life) => {
        const text = readFileSync(join(SAMPLES, name), 'utf8');
        const settings = settingsOf(text);
        const first = [...settings.virtualServices.flatMap(({ realServers }) => realServers)][0];
        const isFirst = (key: string) => first !== undefined && key.includes(`"${first.address}"`);
        const chapters: [string, readonly string[]][] = [
          ['start', await life.use(settings)],
          ['every first probe succeeds', await life.probe(true)],
          ['the slow starts arrive', await life.settle()],
          [`${first?.address} fails`, await life.probe(false, isFirst)],
          ['every server fails', await life.probe(false)],
          ['stop', await life.stop()],
        ];
        const told = chapters
          .map(([title, lines]) => [`# ${title}`, ...lines, ''].join('\n'))
          .join('\n');
        const golden = join(SAMPLES, name.replace(/\.cf$/, '.ipvsadm'));
        if (process.env.UPDATE !== undefined) writeFileSync(golden, told);
        assert.equal(told, readFileSync(golden, 'utf8'));
      }),
    );
  }
});

const GLOBAL = 'primary = 192.0.2.1\nnetwork = direct\n';
function web(name: string, vip: number, weights: readonly number[], more = 'scheduler = wrr') {
  const servers = weights.map(
    (weight, index) =>
      `server ${name}-${index} {\naddress = 198.51.100.${20 + index}\nactive = 1\nweight = ${weight}\n}`,
  );
  const head = `virtual ${name} {\nactive = 1\naddress = 198.51.100.${vip} eth0:1\nport = 80`;
  return [head, more, ...servers, '}', ''].join('\n');
}

describe('H7: a reload is the smallest difference', () => {
  const old = settingsOf(GLOBAL + web('a', 100, [1, 2]) + web('b', 101, [1, 1]));
  const running = async (life: Life) => {
    await life.use(old);
    await life.probe(true);
    await life.settle();
  };

  test('one weight is one write', () =>
    live(async (life) => {
      await running(life);
      const { writes } = life.kernel;
      const now = settingsOf(GLOBAL + web('a', 100, [1, 1]) + web('b', 101, [1, 1]));
      assert.deepEqual(await life.use(now), [
        '-e -t 198.51.100.100:80 -r 198.51.100.21:80 -g -w 1',
      ]);
      assert.equal(life.kernel.writes - writes, 1);
    }));

  test('an equal file is no write', () =>
    live(async (life) => {
      await running(life);
      const { writes } = life.kernel;
      await life.use(old);
      assert.equal(life.kernel.writes, writes);
    }));

  test('scheduler and persistence are edited in place, which 0.8.6 ignored', () =>
    live(async (life) => {
      await running(life);
      const more = 'scheduler = lc\npersistent = 300\npmask = 255.255.255.0';
      const now = settingsOf(GLOBAL + web('a', 100, [1, 2], more) + web('b', 101, [1, 1]));
      assert.deepEqual(await life.use(now), [
        '-E -t 198.51.100.100:80 -s lc -p 300 -M 255.255.255.0',
      ]);
    }));

  test('a server and a service go without a write to the others, which 0.8.6 tore down', () =>
    live(async (life) => {
      await running(life);
      assert.deepEqual(await life.use(settingsOf(GLOBAL + web('a', 100, [1]))), [
        '-d -t 198.51.100.100:80 -r 198.51.100.21:80',
        '-D -t 198.51.100.101:80',
      ]);
    }));

  test('another order of the services is no write', () =>
    live(async (life) => {
      await running(life);
      const { writes } = life.kernel;
      await life.use(settingsOf(GLOBAL + web('b', 101, [1, 1]) + web('a', 100, [1, 2])));
      assert.equal(life.kernel.writes, writes);
    }));
});

describe('H8: one failure is one server’s', () => {
  const bad = () => web('a', 100, [1, 1]) + web('b', 101, [1]);

  test('a scheduler that the kernel has not is told by its line, and the other service stands', () =>
    live(async (life) => {
      const settings = settingsOf(GLOBAL + bad());
      const [first, ...rest] = settings.virtualServices;
      assert.ok(first !== undefined);
      // What the parser refuses, a kernel without the module refuses too.
      const rare = JSON.parse(JSON.stringify({ ...first, scheduler: 'mh' }));
      await life.use({ ...settings, virtualServices: [rare, ...rest] });
      await life.probe(true);
      assert.deepEqual(life.refusals, [
        'lvs.cf:7: kernel refused scheduler "mh" for virtual a: ENOENT, it has no such scheduler',
      ]);
      assert.deepEqual(life.kernel.table(), [
        '-A -t 198.51.100.101:80 -s wrr',
        '-a -t 198.51.100.101:80 -r 198.51.100.20:80 -g -w 1',
      ]);
      await life.refused(life.refusals[0] ?? '');
      assert.deepEqual(life.failures, [], 'hard_shutdown is 0 unless set');
    }));

  test('what the data plane cannot do is told by the line of the directive that asks for it', () => {
    const service = 'scheduler = lc\nfwmark = 0\nsorry_server = 198.51.100.99';
    const { plan } = stepServices(initialServices(), {
      kind: 'settings',
      now: instant(0),
      settings: settingsOf(
        `primary = 198.51.100.11\nnetwork = tunnel\nvirtual a {\nactive = 1\naddress = 198.51.100.100 eth0\n${service}\n}\n`,
      ),
    }).state;
    const [planned] = plan.services.values();
    assert.ok(planned?.sorry !== undefined);
    const { key } = planned.service;
    const destination = planned.sorry;
    const place = (code: string, scheduler = 'lc') => {
      const changed = { ...planned, service: { ...planned.service, scheduler } };
      const services = new Map([[serviceKeyText(key), changed]]);
      const error = { operation: 'add destination', target: '', code };
      const operation = { kind: 'add-destination', key, destination } as const;
      return /^lvs\.cf:\d+/.exec(refusalText(operation, error, { ...plan, services }))?.[0];
    };
    assert.equal(place('unsupported'), 'lvs.cf:6', 'the scheduler');
    assert.equal(place('unsupported', 'rr'), 'lvs.cf:2', 'the network');
    assert.equal(place('EINVAL'), 'lvs.cf:8', 'the sorry server');
  });

  test('hard_shutdown = 1 takes the whole director down, as of old', () =>
    live(async (life) => {
      await life.use(settingsOf(`hard_shutdown = 1\n${GLOBAL}${bad()}`));
      await life.refused('lvs.cf:31: kernel refused server');
      assert.equal(life.failures.length, 1);
    }));
});
