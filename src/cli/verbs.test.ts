import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { completionScript } from './completion.ts';
import { heard } from './heard-under-test.ts';
import { helpText, verbHelp } from './help.ts';
import { runCommand } from './index.ts';
import { manPage } from './man.ts';
import type { OptionSpec } from './options.ts';
import { MAN_PAGES, SHELLS } from './own-verbs.ts';
import { GROUPS } from './verb.ts';
import { findVerb, VERBS } from './verbs.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function namesOf({ short, long }: OptionSpec): readonly string[] {
  return [...(short === undefined ? [] : [short]), ...long];
}

function flagsOf(verb: (typeof VERBS)[number]): readonly string[] {
  return Object.values(verb.options).flatMap(namesOf);
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

test('every verb has one line in the help, and its code can be loaded', async () => {
  const lines = helpText().split('\n');
  for (const { name, summary, load } of VERBS) {
    const mine = lines.filter((line) => line.startsWith(`  ${name} `) && line.endsWith(summary));
    assert.equal(mine.length, 1, name);
    assert.equal(typeof (await load()), 'function');
  }
});

test('no verb has two options of one name, and each takes --help', () => {
  for (const verb of VERBS) {
    const names = flagsOf(verb);
    assert.equal(new Set(names).size, names.length, verb.name);
    assert.ok(names.includes('--help'), verb.name);
  }
});

test('every verb answers --help from the table, flag by flag, without being run', async () => {
  for (const verb of VERBS) {
    const words = verb.isProgram ? [] : [verb.name];
    const name = verb.isProgram ? verb.name : 'piranha';
    const { text, exitCode } = await heard(() => runCommand(name, [...words, '--help']));
    assert.equal(exitCode, 0, verb.name);
    for (const flag of flagsOf(verb)) {
      if (verb.hasOwnHelp && ['-h', '--help', '--all'].includes(flag)) continue;
      assert.ok(text.includes(flag), `${verb.name} --help does not tell ${flag}`);
    }
  }
});

test('every option that a help of its own tells is in the table', async () => {
  for (const verb of VERBS.filter(({ hasOwnHelp }) => hasOwnHelp)) {
    const { text } = await heard(() => runCommand('piranha', [verb.name, '--help']));
    const told = Array.from(text.matchAll(/^ {2}(--[\w-]+)/gm), ([, flag = '']) => flag);
    assert.deepEqual(
      told.filter((flag) => !flagsOf(verb).includes(flag)),
      [],
      verb.name,
    );
  }
});

test('every name in bin/ that links to the program is a verb', () => {
  const bin = join(ROOT, 'bin');
  const links = readdirSync(bin, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
  assert.equal(links.length >= 2, true);
  for (const { name } of links) assert.notEqual(findVerb(name), undefined, name);
});

describe('called wrongly: one sentence on standard error, exit 64', () => {
  const rows: readonly (readonly [readonly string[], string])[] = [
    [['conquer'], 'piranha: there is no verb conquer; try piranha help\n'],
    [['statsu'], 'piranha: there is no verb statsu (did you mean status?); try piranha help\n'],
    ...VERBS.filter(({ isProgram, hasOwnHelp }) => !isProgram && !hasOwnHelp).map(
      ({ name }) => [[name, '--bogus'], ''] as const,
    ),
  ];
  for (const [words, sentence] of rows) {
    test(words.join(' '), async () => {
      const { exitCode, stderr, text } = await heard(() => runCommand('piranha', words));
      assert.equal(exitCode, 64, stderr);
      assert.equal(text, '');
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
      if (sentence === '') assert.match(stderr, /--bogus|there is no/);
      else assert.equal(stderr, sentence);
    });
  }
});

describe('man pages', () => {
  test('piranha(8) tells every verb and every flag', () => {
    const page = manPage('piranha.8');
    for (const verb of VERBS) {
      const at = page.indexOf(`\n.Ic ${verb.name}`);
      assert.ok(at >= 0, verb.name);
      const part = page.slice(at, page.indexOf('\n.Ed', at));
      for (const flag of flagsOf(verb)) {
        const word = `Fl ${flag.slice(1).replaceAll('-', '\\-').replace(/^\\-/, '-')}`;
        assert.ok(part.includes(word), `${verb.name} ${flag}`);
      }
    }
  });

  test('lvs.cf(5) tells every directive of the document', () => {
    const page = manPage('lvs.cf.5');
    const document = readFileSync(join(ROOT, 'docs/lvs.cf.md'), 'utf8');
    const keys = Array.from(
      document.matchAll(/^\| `(\w+)` \| .* \| .* \| .* \| /gm),
      ([, key]) => key,
    );
    assert.ok(keys.length > 90, String(keys.length));
    for (const key of keys) assert.ok(page.includes(`\n.It Ic ${key}\n`), key);
  });

  for (const name of MAN_PAGES) {
    const skip = isInstalled('mandoc') || 'mandoc is not installed';
    test(`${name} is clean by mandoc -T lint`, { skip: skip === true ? false : skip }, () => {
      const input = manPage(name);
      const { stdout } = spawnSync('mandoc', ['-T', 'lint'], { input, encoding: 'utf8' });
      // Whether the others are installed on this machine is not the page's business.
      const told = stdout
        .split('\n')
        .filter((line) => !line.includes('referenced manual not found'));
      assert.deepEqual(
        told.filter((line) => line.trim() !== ''),
        [],
      );
    });
  }
});

describe('completion', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'piranha-completion-'));
    for (const shell of SHELLS) writeFileSync(join(directory, shell), completionScript(shell));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const shell of SHELLS) {
    const skip = isInstalled(shell) ? false : `${shell} is not installed`;
    test(`${shell} reads its script without a word`, { skip }, () => {
      const ran = spawnSync(shell, ['-n', join(directory, shell)], { encoding: 'utf8' });
      assert.deepEqual([ran.status, ran.stderr], [0, '']);
    });

    test(`every flag of every verb is in the script for ${shell}`, () => {
      const script = completionScript(shell);
      for (const verb of VERBS) {
        for (const flag of flagsOf(verb)) {
          const word =
            shell !== 'fish'
              ? flag
              : flag.startsWith('--')
                ? `-l ${flag.slice(2)}`
                : `-s ${flag.slice(1)}`;
          assert.ok(script.includes(word), `${verb.name} ${flag}`);
        }
      }
    });
  }

  /** What bash offers after these words, the last of which is being typed. */
  function offered(lines: readonly (readonly string[])[]): readonly (readonly string[])[] {
    const calls = lines.map((words) => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _piranha; echo "\${COMPREPLY[*]}"`;
    });
    const script = [`source ${join(directory, 'bash')}`, ...calls].join('\n');
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script], {
      encoding: 'utf8',
      cwd: directory,
    });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    return stdout.split('\n').map((line) => (line === '' ? [] : line.split(' ')));
  }

  test('in a real bash, a dash after a verb offers its flags and no others', () => {
    const answers = offered(
      VERBS.map(({ name, isProgram }) => (isProgram ? [name, '-'] : ['piranha', name, '-'])),
    );
    for (const [index, verb] of VERBS.entries()) {
      assert.deepEqual([...(answers[index] ?? [])].sort(), [...flagsOf(verb)].sort(), verb.name);
    }
  });

  test('in a real bash, verbs, values, words and files are offered where they belong', () => {
    const [verbs, nodes, orders, shells, files, none] = offered([
      ['piranha', 'sta'],
      ['piranha', 'events', '--node', ''],
      ['piranha', 'server', 'd'],
      ['/usr/sbin/piranha', 'completion', ''],
      ['piranha', 'check', 'fi'],
      ['piranha', 'top', '--lines', ''],
    ]);
    assert.deepEqual(verbs, ['status']);
    assert.deepEqual(nodes, ['own', 'partner', 'both']);
    assert.deepEqual(orders, ['drain', 'disable']);
    assert.deepEqual(shells, [...SHELLS]);
    assert.deepEqual(files, ['fish']);
    assert.deepEqual(none, []);
  });
});

/** The tables of docs/cli.md as they must be. `PIRANHA_REWRITE=1` writes them there. */
function tablesOfVerbs(): string {
  return GROUPS.map((group) => {
    const rows = VERBS.filter((verb) => verb.group === group).map((verb) => {
      const options = Object.values(verb.options)
        .filter(({ long }) => !long.includes('--help'))
        .map(({ short, long: [long = short], value }) =>
          value === undefined ? `\`${long}\`` : `\`${long} ${value}\``,
        );
      const call = `${verb.name} ${verb.usage.replace(/ ?\[OPTION\.\.\.\]/, '')}`.trim();
      return `| \`${call}\` | ${verb.summary} | ${options.join(' ')} |`.replace(
        /(?<=[\w.])\|(?=[\w-])/g,
        '\\|',
      );
    });
    return [`### ${group}`, '', '| Verb | Does | Options |', '|---|---|---|', ...rows, ''].join(
      '\n',
    );
  }).join('\n');
}

describe('docs/cli.md', () => {
  const path = join(ROOT, 'docs/cli.md');
  const chapter = /(?<=^## The verbs\n\n).*?(?=^## )/ms;

  test('has the tables of the verbs, with every option', () => {
    const page = readFileSync(path, 'utf8');
    const wanted = `${tablesOfVerbs()}\n`;
    if (process.env.PIRANHA_REWRITE === '1') {
      writeFileSync(
        path,
        page.replace(chapter, () => wanted),
      );
    } else assert.equal(chapter.exec(page)?.[0], wanted, 'PIRANHA_REWRITE=1 writes them anew');
  });

  test('a verb that names its exit codes has them in its help', () => {
    for (const verb of VERBS) {
      if (verb.exits !== undefined) assert.ok(verbHelp(verb).includes(verb.exits), verb.name);
    }
  });
});
