/** The tree keeps the laws of the house (test/law.ts), and each law bites. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { ip, mac, toHex, utf8 } from '../src/base/index.ts';
import { parseSettings } from '../src/config/index.ts';
import { REASONS } from '../src/model/index.ts';
import {
  encodeArpAnnouncement,
  encodeExtendedHeartbeat,
  encodeHeartbeat,
  HEARTBEAT_KINDS,
  type Trailer,
} from '../src/wire/index.ts';
import { FILE_WISH, isTest, LAWS, type SourceFile } from './law.ts';
import { splitSource } from './source-text.ts';

const root = join(import.meta.dirname, '..');
const sources: readonly SourceFile[] = globSync('{src,lab,bench,test}/**/*.{ts,tsx}', { cwd: root })
  .sort()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

function violations(file: SourceFile): readonly string[] {
  return LAWS.flatMap(({ check }) =>
    check(file).map(({ line, what }) => `${file.path}:${line}: ${what}`),
  );
}

describe('the tree keeps the law:', () => {
  for (const { name, check } of LAWS) {
    test(name, () => {
      const found = sources.flatMap((file) =>
        check(file).map(({ line, what }) => `${file.path}:${line}: ${what}`),
      );
      assert.equal(found.length, 0, `\n${found.join('\n')}`);
    });
  }

  test('files longer than the wish are few and known', (t) => {
    const long = sources.filter(
      (file) => !isTest(file) && file.text.split('\n').length > FILE_WISH,
    );
    for (const { path, text } of long) t.diagnostic(`${path} has ${text.split('\n').length} lines`);
    assert.ok(long.length * 5 <= sources.length, 'more than one file in five is too long');
  });
});

describe('the law bites:', () => {
  const header = '/** What it is. */\n';
  const cases: readonly (readonly [what: string, path: string, code: string, expected: RegExp])[] =
    [
      [
        'a room below',
        'src/core/a.ts',
        `import { x } from '../ports/index.ts';`,
        /must not import ports/,
      ],
      [
        'the same, as type',
        'src/base/a.ts',
        `import type { X } from '../model/index.ts';`,
        /model/,
      ],
      ['the same, re-exported', 'src/wire/a.ts', `export * from '../sim/index.ts';`, /import sim/],
      [
        'the same, on demand',
        'src/cli/a.ts',
        `await import('../main.ts');`,
        /index\.ts|import main/,
      ],
      ['the back door', 'src/core/a.ts', `import { x } from '../wire/arp.ts';`, /by its index\.ts/],
      [
        'the back door of a test',
        'src/core/a.test.ts',
        `import { x } from '../wire/arp.ts';`,
        /index\.ts/,
      ],
      [
        'the lab from inside',
        'src/director/a.ts',
        `import { x } from '../../lab/index.ts';`,
        /import lab/,
      ],
      [
        'a file outside',
        'src/ports/a.ts',
        `import x from '../../package.ts';`,
        /outside the house/,
      ],
      ['no extension', 'src/core/a.ts', `import { x } from './b';`, /end in \.ts/],
      ['a package', 'src/cli/a.ts', `import chalk from 'chalk';`, /package chalk/],
      ['Node above the line', 'src/wire/a.ts', `import { x } from 'node:fs';`, /node:fs above/],
      ['a promise', 'src/core/a.ts', 'let x: Promise<void>;', /Promise above/],
      ['waiting', 'src/sim/a.ts', 'export async function f() {}', /async above/],
      ['a clock', 'src/core/a.ts', 'const now = Date.now();', /Date above/],
      ['dice', 'src/sim/a.ts', 'const x = Math.random();', /random above/],
      ['dice inside a template', 'src/sim/a.ts', `\`\${{ a: Math.random() }.a}\`;`, /random above/],
      ['a timer', 'src/config/a.ts', 'setTimeout(() => {}, 5);', /setTimeout above/],
      ['the process', 'src/model/a.ts', 'if (process.env) {}', /process above/],
      ['printing', 'src/base/a.ts', `console.log('x');`, /console above/],
      ['a Buffer', 'src/wire/a.ts', 'Buffer.alloc(4);', /Buffer above/],
      ['something for later', 'src/cli/a.ts', `f(); // ${'TO'}${'DO'} soon`, /in a comment/],
      ['a cast', 'src/core/a.ts', 'const x = y as Role;', /a cast/],
      ['any', 'src/core/a.ts', 'const x = (y as any).z;', /a cast/],
      ['a default export', 'src/core/a.ts', 'export default 5;', /default export/],
      ['a renamed default', 'src/core/a.ts', 'export { x as default };', /default export/],
      ['a wide line', 'src/core/a.ts', `// ${'x'.repeat(130)}`, /133 characters/],
      ['a long file', 'src/core/a.ts', '\n'.repeat(501), /504 lines/],
    ];
  for (const [what, path, code, expected] of cases) {
    test(what, () => {
      const found = violations({ path, text: `${header}${code}\n` });
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }

  test('no header', () => {
    assert.match(violations({ path: 'src/core/a.ts', text: 'f();\n' })[0] ?? '', /no header/);
    assert.match(violations({ path: 'src/core/index.ts', text: 'f();\n' })[0] ?? '', /no header/);
  });

  test('and leaves alone what is lawful', () => {
    const lawful = [
      [
        'src/core/a.ts',
        `import { x as y, type Z } from '../model/index.ts';\nexport * as z from './b.ts';`,
      ],
      [
        'src/core/a.ts',
        `f('Date.now()', \`Promise \${y} console\`, /process \\/ async/); // await Date`,
      ],
      [
        'src/core/a.ts',
        'const x = [1] as const; a.process(b.date, { process: 1 }); y = a / b / c;',
      ],
      [
        'src/core/a.test.ts',
        `import fc from 'fast-check';\nimport { x } from '../sim/index.ts';\nawait x;`,
      ],
      ['src/main.ts', `import { x } from '../lab/index.ts';\nimport { y } from './cli/index.ts';`],
      ['src/wire/a.ts', 'const x = y as Role;'],
      ['src/core/a.ts', `f('${'x'.repeat(200)}');`],
    ] as const;
    for (const [path, code] of lawful) {
      assert.deepEqual(violations({ path, text: `${header}${code}\n` }), []);
    }
    assert.deepEqual(
      violations({ path: 'src/core/index.ts', text: `export * from './a.ts';\n` }),
      [],
    );
  });
});

test('source is split into code and comments, position by position', () => {
  const text = `a('x//y'); // b 'c'\n\`p\${q /* r */}s\`; /[/'"]/.test(d) /* e */ / 2;\n`;
  const { code, comments } = splitSource(text);
  assert.equal(code.length, text.length);
  assert.equal(code, `a('    ');         \n\` \${q        } \`;        .test(d)         / 2;\n`);
  assert.equal(comments.replace(/\s+/g, ' '), " // b 'c' /* r */ /* e */ ");
});

describe('the documents are true:', () => {
  const documents = globSync('{*.md,docs/**/*.md,lab/**/*.md,bench/**/*.md,native/**/*.md}', {
    cwd: root,
  }).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

  test('every link to a file of ours leads somewhere', () => {
    const broken = documents.flatMap(({ path, text }) =>
      Array.from(text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)/g), (match) => ({
        path,
        target: join(root, match[1] === '' ? path : join(path, '..', match[1] ?? '')),
        anchor: match[2]?.slice(1),
        link: match[0],
      })).filter(({ target, anchor }) => !existsSync(target) || !hasAnchor(target, anchor)),
    );
    assert.deepEqual(
      broken.map(({ path, link }) => `${path}: ${link}`),
      [],
    );
  });

  test('every file that is named exists', () => {
    const named = /`((?:src|test|lab|bench|native|docs|bin)\/[\w./-]*)`/g;
    const missing = documents.flatMap(({ path, text }) =>
      Array.from(text.matchAll(named), (match) => match[1] ?? '')
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `${path}: ${name}`),
    );
    assert.deepEqual(missing, []);
  });

  test('every verb that is named exists', () => {
    const help = spawnSync(process.execPath, ['src/main.ts', 'help'], {
      cwd: root,
      encoding: 'utf8',
    });
    const verbs = Array.from(help.stdout.matchAll(/^ {2}(\w+) /gm), (match) => match[1]);
    assert.ok(verbs.length > 5, help.stdout);
    const unknown = documents.flatMap(({ path, text }) =>
      Array.from(text.matchAll(/(?:\.\/|`)piranha ([a-z_]+)/g), (match) => match[1])
        .filter((verb) => !verbs.includes(verb))
        .map((verb) => `${path}: piranha ${verb}`),
    );
    assert.deepEqual(unknown, []);
  });

  test('every lvs.cf that is shown can be run', () => {
    const files = documents.flatMap(({ path, text }) =>
      Array.from(text.matchAll(/^```\n((?:serial_no|primary) = [^`]*)^```/gm), (match) => ({
        file: path,
        text: match[1] ?? '',
      })),
    );
    assert.ok(files.length >= 2, 'README.md and docs/lvs.cf.md show one each');
    for (const { file, text } of files)
      assert.deepEqual(parseSettings(text, { file }).problems, []);
  });

  test('every reason of a role change is explained', () => {
    const explained = readFileSync(join(root, 'docs/reasons.md'), 'utf8');
    assert.deepEqual(
      REASONS.filter((reason) => !explained.includes(`| \`${reason}\` |`)),
      [],
    );
  });

  test('the bytes that the protocol shows are the bytes we send', () => {
    const protocol = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
    const shown = protocol
      .split('\n')
      .map((line) => /^((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {3}|$)/.exec(line)?.[1] ?? '')
      .join(' ')
      .replace(/\s+/g, ' ');
    const vip = ip('198.51.100.100');
    const owner = mac('02:00:00:00:00:11');
    const route = { from: ip('198.51.100.11'), to: ip('198.51.100.12') };
    const key = utf8('example key');
    const running = toHex(encodeHeartbeat('running'));
    assert.ok(shown.includes(`02 1b 02 1b 00 0c 1e 88 ${running}`));
    assert.ok(shown.includes(toHex(encodeArpAnnouncement({ form: 'reply', vip, mac: owner }))));
    assert.ok(shown.includes(toHex(encodeExtendedHeartbeat(EXAMPLE_TRAILER, route, key))));
    for (const word of HEARTBEAT_KINDS) {
      const name = word
        .toUpperCase()
        .replace('-', ' ')
        .replace(/^STOPME$/, 'FOS STOPME');
      const bytes = toHex(encodeHeartbeat(word));
      assert.match(protocol, new RegExp(`\\| ${name} \\|.*\`${bytes}\``));
    }
  });

  test('every decision is listed', () => {
    const listed = readFileSync(join(root, 'docs/decisions/README.md'), 'utf8');
    const files = globSync('[0-9]*.md', { cwd: join(root, 'docs/decisions') });
    assert.ok(files.length > 0);
    assert.deepEqual(
      files.filter((name) => !listed.includes(`(${name})`)),
      [],
    );
  });
});

/** GitHub's anchors: the heading in lower case, without punctuation, spaces as hyphens. */
function hasAnchor(file: string, anchor: string | undefined): boolean {
  if (anchor === undefined) return true;
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm);
  const toAnchor = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(' ', '-');
  return Array.from(headings, ([, heading = '']) => toAnchor(heading)).includes(anchor);
}

/** The example of docs/protocol.md. */
const EXAMPLE_TRAILER: Trailer = {
  role: 'active',
  isEligible: true,
  isStopping: false,
  reason: 'partner-silent',
  epoch: 3,
  moves: 1,
  incarnation: 1_795_370_400_000 * 4096 + 0x5a1,
  sequence: 1207,
  echo: { incarnation: 1_795_370_395_000 * 4096 + 0x07c, sequence: 1198 },
  intervalMs: 50,
  deadtimeMs: 300,
  leaseMs: 229,
  serialNo: 7,
  configDigest: '0123456789abcdef',
  servicesUp: 2,
  services: 2,
  linkAddresses: [mac('02:00:00:00:00:11')],
};
