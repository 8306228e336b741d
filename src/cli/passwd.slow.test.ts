/** `piranha passwd` as people meet it: at a terminal, and two of them at once. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');
const PASSWORD = 'a fish with many teeth';
const directory = mkdtempSync(join(tmpdir(), 'pirpty-'));
const file = join(directory, 'users');
after(() => rmSync(directory, { recursive: true, force: true }));

const usersText = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** script(1) gives the program a terminal of its own. */
const skip = existsSync('/usr/bin/script') ? false : 'script is not installed (Debian: bsdutils)';

/** Types each answer when its prompt stands there; gives the exit code and all that the terminal showed. */
async function atTerminal(user: string, answers: readonly (readonly [RegExp, string])[]) {
  const words = ['src/main.ts', 'passwd', user, '--state-dir', directory];
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', ...words].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: ROOT });
  let shown = '';
  let next = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    shown += text;
    const [prompt, typed] = answers[next] ?? [];
    if (prompt?.test(shown) !== true) return;
    next++;
    child.stdin.write(typed);
  });
  const code = await exitOf(child);
  assert.equal(next, answers.length, shown);
  return { code, shown };
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  const [code] = await once(child, 'close');
  return code;
}

describe('at a terminal', { skip }, () => {
  test('the password is asked for twice and never shown; a slip is taken back', async () => {
    const { code, shown } = await atTerminal('ann', [
      [/New password of ann \(the console\): $/, `wrong\u0015${PASSWORD}x\u007f\r`],
      [/once more: $/, `${PASSWORD}\r`],
    ]);
    assert.equal(code, 0, shown);
    assert.match(shown, /ann may log in to the console, and look/);
    assert.doesNotMatch(shown, /teeth|fish|wrong/);
    assert.match(usersText(), /^ann:look:\$argon2id\$/m);
  });

  test('two that differ, and a word to stop, change nothing', async () => {
    const before = usersText();
    const differ = await atTerminal('bob', [
      [/\): $/, `${PASSWORD}\r`],
      [/once more: $/, `${PASSWORD}!\r`],
    ]);
    assert.equal(differ.code, 1);
    assert.match(differ.shown, /the two differ; nothing was changed/);
    const stopped = await atTerminal('bob', [[/\): $/, 'a fi\u0003']]);
    assert.equal(stopped.code, 1);
    assert.match(stopped.shown, /given up; nothing was changed/);
    assert.equal(usersText(), before);
  });
});

/** Adds users one after the other, as often as it can, in a process of its own. */
function adds(name: string, count: number): ChildProcess {
  const program = `
    import { saveUser } from '${ROOT}/src/console/index.ts';
    for (let n = 0; n < ${count}; n++) {
      saveUser('${file}', { name: '${name}' + n, hash: '${HASH}', rights: 'look' });
    }`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
  return spawn(process.execPath, [...flags, '-e', program], { stdio: 'inherit' });
}
const HASH = `$argon2id$v=19$m=47104,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

describe('two at once', () => {
  test('lose nothing, and leave no lock behind', async () => {
    const codes = await Promise.all(['x', 'y', 'z'].map((name) => exitOf(adds(name, 30))));
    assert.deepEqual(codes, [0, 0, 0]);
    assert.equal(usersText().match(/^[xyz]\d+:look:/gm)?.length, 90);
    assert.ok(!existsSync(`${file}.lock`));
  });

  test('a lock that somebody left is waited for, then named, and nothing is changed', async () => {
    const before = usersText();
    writeFileSync(`${file}.lock`, '');
    const words = ['src/main.ts', 'passwd', 'zoe', '--state-dir', directory];
    const flags = ['--disable-warning=ExperimentalWarning'];
    const child = spawn(process.execPath, [...flags, ...words], { cwd: ROOT });
    child.stdin.end(`${PASSWORD}\n`);
    let told = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      told += text;
    });
    assert.equal(await exitOf(child), 1);
    assert.match(told, /another piranha passwd is at work; if there is none, remove .*users\.lock/);
    assert.equal(usersText(), before);
    rmSync(`${file}.lock`);
  });
});
