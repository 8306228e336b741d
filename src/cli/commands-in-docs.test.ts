/** Every command that a document tells somebody to type exists, with its options and with what it cannot go without. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { VERBS } from './verbs.ts';

const ROOT = join(import.meta.dirname, '../..');
const pages = globSync('{README.md,docs/**/*.md,packaging/debian/lvs.cf,packaging/systemd/*}', {
  cwd: ROOT,
}).map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

type Command = { readonly where: string; readonly verb: string; readonly words: readonly string[] };

/** In backticks, or at the start of a line of a block; what follows two blanks, a bracket, `|`, `;`, `&` or `>` explains it. */
function commandsOf({ path, text }: (typeof pages)[number]): readonly Command[] {
  const inline = text.matchAll(/`(?:sudo )?(?:\.\/)?piranha ([a-z][^`]*)`/g);
  const lines = text.matchAll(
    /^(?:\$ |# +\d\. |ExecReload=\/usr\/bin\/)?(?:sudo )?(?:\.\/)?piranha ([a-z].*)$/gm,
  );
  return [...inline, ...lines].map(([whole, rest = '']) => {
    const [call = ''] = rest.split(/ {2}| [|(>#]|[;&]/);
    const [verb = '', ...words] = call.trim().split(' ');
    return { where: `${path}: ${whole.slice(0, 60)}`, verb, words };
  });
}

const commands = pages.flatMap(commandsOf);

test('the documents tell somebody to type quite a few commands', () => {
  assert.ok(commands.length > 150, `${commands.length}`);
});

test('each option of each command is one of its verb', () => {
  const wrong = commands.flatMap(({ where, verb, words }) => {
    const known = VERBS.find(({ name }) => name === verb);
    // Prose: `piranha` and the next word of the sentence; test/house.test.ts looks after the verbs.
    if (known === undefined) return [];
    const flags = Object.values(known.options).flatMap((option) => [option.short, ...option.long]);
    return words
      .filter((word) => /^--?[a-z]/.test(word))
      .map((word) => word.replace(/=.*/, ''))
      .filter((word) => !flags.includes(word))
      .map((word) => `${where}: ${word}`);
  });
  assert.deepEqual(wrong, []);
});

test('a verb that cannot go without an argument has one wherever it begins a line', () => {
  const needing = VERBS.filter(({ usage }) => /^[A-Z]/.test(usage)).map(({ name }) => name);
  assert.ok(needing.includes('apply') && needing.includes('replay'));
  const wrong = pages.flatMap((page) =>
    commandsOf(page)
      .filter(({ verb, words }) => needing.includes(verb) && words.length === 0)
      // In a sentence a verb may be named alone.
      .filter(({ where }) => !where.includes(': `'))
      .map(({ where }) => where),
  );
  assert.deepEqual(wrong, []);
});

test('links of docs/ lead into docs/: the package brings nothing else along', () => {
  const leaving = pages
    .filter(({ path }) => path.startsWith('docs/'))
    .flatMap(({ path, text }) =>
      Array.from(text.matchAll(/\]\((?!https?:|mailto:|#)([^)#]+)/g), ([, target = '']) => target)
        .filter((target) => !join(path, '..', target).startsWith('docs/'))
        .map((target) => `${path}: ${target}`),
    );
  assert.deepEqual(leaving, []);
});

test('the front page of the documents leads to every one of them', () => {
  const front = readFileSync(join(ROOT, 'docs/README.md'), 'utf8');
  const lost = globSync('*.md', { cwd: join(ROOT, 'docs') }).filter(
    (name) => name !== 'README.md' && !front.includes(`](${name}`),
  );
  assert.deepEqual(lost, []);
});
