import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { api } from '../api/index.ts';
import { tablesOf } from '../base/index.ts';
import {
  imagined,
  LEVELS,
  type OpenApi,
  runDirectory,
  type ServicesDocument,
  type StatusDocument,
} from '../director/index.ts';
import { piranha, type Said } from './heard-under-test.ts';
import { PLAIN_COLUMNS, plainRow, plainServices, plainStatus } from './plain.ts';
import { topRows, topText } from './top.ts';
import { VERBS } from './verbs.ts';
import { watch } from './watch.ts';

/** The real routes on real sockets, before a director on an imagined machine; its verdict is what a test says. */
const { ImaginedDirector, IMAGINED_CONFIG } = await imagined();
const MAIN = join(import.meta.dirname, '..', 'main.ts');
const director = new ImaginedDirector();
const files = mkdtempSync(join(tmpdir(), 'pirv-'));
const config = join(files, 'new.cf');
const own = ['--run-dir', director.directory];
const nowhere = ['--run-dir', join(files, 'nobody'), '-c', join(files, 'none.cf')];
let level: StatusDocument['verdict']['level'] | undefined;
let open: OpenApi;

before(async () => {
  await director.start();
  const status = async (): Promise<StatusDocument | undefined> => {
    const document = await director.face.status();
    if (document === undefined || level === undefined) return document;
    return { ...document, verdict: { ...document.verdict, level } };
  };
  open = await api.open({ ...director.face, status }, runDirectory(director.directory));
  writeFileSync(config, IMAGINED_CONFIG.replace('weight = 3', 'weight = 2'));
});

after(async () => {
  open.close();
  await director.close();
  rmSync(files, { recursive: true });
});

beforeEach(() => {
  level = undefined;
});

/** What each verb is asked in the walk below, without `--json`. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  status: own,
  top: ['--once', ...own],
  services: own,
  events: ['--node', 'own', ...own],
  incident: ['--node', 'own', ...own],
  explain: ['partner-silent'],
  maintenance: ['on', ...own],
  takeover: own,
  resign: own,
  prove: ['--dry-run', ...own],
  doctor: ['--no-probe', ...own, '-c', config],
  report: ['--output', join(files, 'report.tar.gz'), ...own, '-c', config],
  upgrade: ['--dry-run', ...own],
  server: ['drain', 'web/a', ...own],
  drain: ['web/a', ...own],
  undrain: ['web/a', ...own],
  weight: ['web/a', '2', ...own],
  diff: [config, ...own],
  apply: [config, '--confirm', '60s', ...own],
  confirm: own,
  history: own,
  rollback: ['7', ...own],
  push: own,
  pull: own,
  reload: own,
  check: [config],
  fmt: [config],
  import: [config],
  export: ['keepalived.conf', config],
  sim: ['--runs', '1'],
  completion: ['bash'],
  man: ['piranha.8'],
  version: [],
  help: [],
};
/** Told elsewhere: it goes on until it is stopped (below), needs root, or what a recorder wrote. */
const ELSEWHERE = ['watch', 'lab', 'replay'];
/** A JSON text a line, of things that have no end or no frame. */
const LINES = ['events', 'sim'];

describe('--json', () => {
  const verbs = VERBS.filter(({ group }) => group !== 'Programs');

  test('is an option of every verb that is no program of its own', () => {
    const without = verbs.filter(
      ({ options }) => !Object.values(options).some(({ long }) => long.includes('--json')),
    );
    assert.deepEqual(
      without.map(({ name }) => name),
      [],
    );
    const walked = [...Object.keys(CALLS), ...ELSEWHERE];
    assert.deepEqual(
      verbs.map(({ name }) => name).filter((name) => !walked.includes(name)),
      [],
      'a verb that the walk below does not know',
    );
  });

  for (const [verb, words] of Object.entries(CALLS)) {
    test(`${verb} --json is JSON, refused or not, and nothing else`, async () => {
      director.face.events.add({ kind: 'start', text: 'something\thappened' });
      const { text } = await piranha(verb, ...words, '--json');
      const texts = LINES.includes(verb) ? text.trim().split('\n') : [text];
      assert.ok(text.trim() !== '');
      for (const one of texts) {
        const document: unknown = JSON.parse(one);
        assert.ok(typeof document === 'object' && document !== null);
        if (!LINES.includes(verb)) assert.equal('v' in document && document.v, 1, one);
      }
    });
  }

  test('says on standard output, too, that nobody answers', async () => {
    const [, ...rest] = nowhere.slice(0, 2);
    for (const verb of ['services', 'top', 'incident'] as const) {
      const { text, exitCode } = await piranha(verb, '--run-dir', ...rest, '--json');
      const { unknown }: { readonly unknown?: string } = JSON.parse(text);
      assert.match(unknown ?? '', /the director does not answer \(not-running\)/, verb);
      assert.equal(exitCode, 3, verb);
    }
  });

  test('of help is the table of verbs', async () => {
    const { text } = await piranha('help', 'status', '--json');
    const { verbs: told }: { readonly verbs: readonly { readonly name: string }[] } =
      JSON.parse(text);
    assert.deepEqual(
      told.map(({ name }) => name),
      ['status'],
    );
  });
});

describe('exit codes of those who only ask', () => {
  for (const [code, word] of LEVELS.entries()) {
    test(`${code}: status, its brief line and its documents, when all is ${word}`, async () => {
      level = word;
      await sleep(25); // those who ask at the same time share an answer
      for (const form of [[], ['--brief'], ['--plain'], ['--json']]) {
        assert.equal((await piranha('status', ...own, ...form)).exitCode, code, form.join());
      }
    });
  }

  test('3: nobody can be asked', async () => {
    const path = nowhere.slice(0, 2);
    assert.equal((await piranha('status', ...nowhere)).exitCode, 3);
    for (const words of [['services'], ['top', '--once'], ['events'], ['incident'], ['prove']]) {
      assert.equal((await piranha(...words, ...path)).exitCode, 3, words.join(' '));
    }
  });

  test('of services 0 while every service has a server, 1 when one has none', async () => {
    assert.equal((await piranha('services', ...own)).exitCode, 1, 'their ports are closed');
    for (const server of ['web/a', 'mail/a']) {
      assert.equal(
        (await piranha('server', 'force-up', server, '--node', 'own', ...own)).exitCode,
        0,
      );
    }
    assert.equal((await piranha('services', ...own)).exitCode, 0);
  });
});

describe('colour and screen', () => {
  const PAINTED = '\u001b\\[1;33mDEGRADED\u001b\\[0m ';

  /** As on a terminal with this environment. */
  async function onTerminal(
    environment: Readonly<Record<string, string>>,
    ...words: readonly string[]
  ): Promise<Said> {
    const { TERM, NO_COLOR } = process.env;
    const { isTTY } = process.stdout;
    delete process.env.NO_COLOR;
    Object.assign(process.env, { TERM: 'xterm', ...environment });
    process.stdout.isTTY = true;
    try {
      return await piranha(...words);
    } finally {
      process.stdout.isTTY = isTTY;
      process.env.TERM = TERM ?? '';
      if (NO_COLOR === undefined) delete process.env.NO_COLOR;
      else process.env.NO_COLOR = NO_COLOR;
    }
  }

  test('the level has one on a terminal, none with NO_COLOR, with TERM=dumb or into a file', async () => {
    assert.match((await onTerminal({}, 'status', ...own)).text, new RegExp(`^${PAINTED}`));
    const bare = [
      await onTerminal({ NO_COLOR: '1' }, 'status', ...own),
      await onTerminal({ TERM: 'dumb' }, 'status', ...own),
      await onTerminal({}, 'status', '--json', ...own),
      await onTerminal({}, 'status', '--plain', ...own),
      await piranha('status', ...own),
    ];
    for (const { text } of bare) assert.ok(!text.includes('\u001b'), text.slice(0, 40));
  });
});

describe('--plain', () => {
  test('of a status, of services, events and incidents has the columns of docs/cli.md', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    const told = tablesOf(page).find(({ head }) => head[0] === 'Rows of')?.rows ?? [];
    assert.deepEqual(
      told,
      Object.entries(PLAIN_COLUMNS).map(([rows, columns]) => [rows, columns.join(', ')]),
    );
  });

  test('has as many columns in every row as it says, whatever is unknown', async () => {
    const status = await piranha('status', '--plain', ...own);
    for (const row of status.text.trimEnd().split('\n')) {
      const columns = row.split('\t');
      const known = Object.entries(PLAIN_COLUMNS).find(([name]) => name === `status ${columns[0]}`);
      assert.equal(columns.length, known?.[1].length, row);
    }
    director.face.events.add({ kind: 'trouble', text: 'a\tb\nc' });
    for (const verb of ['services', 'events'] as const) {
      const node = verb === 'events' ? ['--node', 'own'] : [];
      const { text } = await piranha(verb, '--plain', ...node, ...own);
      for (const row of text.trimEnd().split('\n'))
        assert.equal(row.split('\t').length, PLAIN_COLUMNS[verb].length, row);
    }
    assert.equal((await piranha('incident', '--plain', '--node', 'own', ...own)).text, '');
  });

  test('writes what is not known as a dash, and no tab of somebody else', () => {
    assert.equal(plainRow(['a\tb', undefined, '', 0, 'c\r\nd']), 'a b\t-\t-\t0\tc d');
    const bare = { name: 'web', key: 'tcp x', servers: [] } as const;
    const document = { v: 1, dataPlane: { kind: 'ipvs', why: '' }, overrides: [] } as const;
    const rest = {
      scheduler: 'wlc',
      persistentSeconds: 0,
      quorum: 'reached',
      stands: true,
    } as const;
    const row = plainServices({ ...document, services: [{ ...bare, ...rest }] });
    assert.equal(row.split('\t').length, PLAIN_COLUMNS.services.length);
  });

  test('of a status without a director is the verdict alone', () => {
    const verdict = { level: 'unknown', text: 'The daemon is not running.' } as const;
    assert.equal(plainStatus({ verdict }), 'verdict\tunknown\tThe daemon is not running.');
  });
});

test('a file that is not there is said so in words, its name once', async () => {
  const missing = join(files, 'missing');
  const replayed = await piranha('replay', missing);
  assert.deepEqual(
    [replayed.exitCode, replayed.stderr],
    [1, `${missing}: cannot be read: no such file (ENOENT)\n`],
  );
  const applied = await piranha('apply', missing, ...own);
  assert.deepEqual(
    [applied.exitCode, applied.stderr],
    [1, `piranha apply: ${missing} cannot be read: no such file (ENOENT)\n`],
  );
});

describe('--watch', () => {
  const where = { path: director.directory, node: 'own' } as const;
  const pace = { withStreamMs: 60_000, withoutMs: 20, leastMs: 5 };

  /** Pictures until `signal`, with the moment of each. */
  function pictures(place: { readonly path: string; readonly node: 'own' }) {
    const ending = new AbortController();
    const drawn: number[] = [];
    const over = watch(place, async () => void drawn.push(performance.now()), {
      pace,
      signal: ending.signal,
    });
    const end = (): Promise<number> => {
      ending.abort();
      return over;
    };
    return { drawn, end };
  }

  async function until(isTrue: () => boolean): Promise<void> {
    for (const limit = performance.now() + 3000; !isTrue(); await sleep(2)) {
      assert.ok(performance.now() < limit, `${isTrue}`);
    }
  }

  test('draws when something happens there, not before, and not for each of many things', async () => {
    const { drawn, end } = pictures(where);
    await until(() => drawn.length >= 1);
    await sleep(60); // the stream is open by now, and the picture is a minute old at most
    const before = drawn.length;
    await sleep(60);
    assert.equal(drawn.length, before);
    for (let number = 0; number < 100; number++)
      director.face.events.add({ kind: 'link', text: 'x' });
    await until(() => drawn.length > before);
    await sleep(30);
    assert.ok(drawn.length - before <= 10, String(drawn.length - before));
    await end();
  });

  test('as JSON is a document a line, the next as soon as something happens', async () => {
    const argv = ['--disable-warning=ExperimentalWarning', MAIN, 'watch', '--json', ...own];
    const watching = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    watching.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const lines = (): readonly string[] => text.split('\n').slice(0, -1);
    try {
      await until(() => lines().length >= 1);
      await sleep(150); // the stream is open
      const before = lines().length;
      director.face.events.add({ kind: 'link', text: 'x' });
      await until(() => lines().length > before);
      for (const line of lines()) assert.equal(JSON.parse(line).v, 1);
    } finally {
      watching.kill();
    }
  });

  test('goes on by the clock where there is nobody to tell of events', async () => {
    const { drawn, end } = pictures({ path: join(files, 'nobody'), node: 'own' });
    await until(() => drawn.length >= 3);
    await end();
  });
});

test('top puts ten thousand servers in order of their rate, and shows the first, within a tenth of a second', () => {
  const traffic = (connectionRate: number) => ({
    connections: 0,
    inPackets: 0,
    outPackets: 0,
    inBytes: 0,
    outBytes: 0,
    connectionRate,
    inByteRate: 0,
    outByteRate: 0,
  });
  const services = Array.from({ length: 1000 }, (_, at) => ({
    name: `shop-${at}`,
    key: `tcp 198.51.100.100:${at + 1}`,
    scheduler: 'wlc',
    persistentSeconds: 0,
    quorum: 'reached' as const,
    stands: true,
    servers: Array.from({ length: 10 }, (_each, index) => ({
      name: `web-${index}`,
      address: '198.51.100.21',
      port: 80,
      method: 'direct' as const,
      configuredWeight: 1,
      weight: 1,
      state: 'active' as const,
      reason: 'healthy' as const,
      sinceMs: 0,
      // Most are idle: then their names put them in order, which is the slowest.
      traffic: traffic(at < 3 ? at * 10 + index : 0),
    })),
  }));
  const document: ServicesDocument = {
    v: 1,
    dataPlane: { kind: 'ipvs', why: 'it is there' },
    services,
    overrides: [],
  };
  topText(document, 20); // once, so that it is compiled
  const startedAt = performance.now();
  const text = topText(document, 20);
  const tookMs = performance.now() - startedAt;
  const lines = text.split('\n');
  assert.match(lines[2] ?? '', /^shop-2\/web-9 +29 /);
  assert.match(lines.at(-1) ?? '', /^and 10980 more$/);
  const rates = topRows(document).map(({ connectionRate }) => connectionRate);
  assert.deepEqual(
    rates,
    rates.toSorted((a, b) => b - a),
  );
  assert.ok(tookMs < 100, `${tookMs} ms`);
});
