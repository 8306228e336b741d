import assert from 'node:assert/strict';
import test from 'node:test';
import { err, ip, ok, utf8 } from '../base/index.ts';
import { runCheck } from './check.ts';
import { decodeText, type Outcome, type World } from './files-on-disk.ts';
import { runFmt } from './fmt.ts';

/** A world with one file, `lvs.cf`. */
function worldOf(bytes: Uint8Array, written: Uint8Array[] = []): World {
  return {
    read: (path) => (path === 'lvs.cf' ? ok(bytes) : err('no such file or directory')),
    write: (_, changed) => {
      written.push(changed);
      return ok(undefined);
    },
    names: { resolve: (name) => (name === 'lvs1' ? ip('10.0.0.1') : undefined) },
  };
}

function check(text: string, ...options: readonly string[]): Outcome {
  return runCheck([...options, 'lvs.cf'], worldOf(utf8(text)));
}

const GOOD = 'primary = lvs1\nvirtual web {\n    active = 1\n    address = 10.9.9.9 eth0:1\n}\n';

test('check quotes the line of each problem and points at the place', () => {
  const text = GOOD.replace('active = 1', '\tactive = on # now');
  assert.deepEqual(check(text), {
    stdout: [
      'lvs.cf:3:15: error: `active` wants 0 or 1; found `on`',
      '         active = on # now',
      '                  ^~',
      '    write: 1',
      'lvs.cf: 1 error',
      '',
    ].join('\n'),
    stderr: '',
    exitCode: 1,
  });
});

test('check does not repeat a suggestion that the sentence makes already', () => {
  const { stdout } = check(`keepalve = 2\n${GOOD}`);
  assert.match(
    stdout,
    /did you mean `keepalive`\?\n {4}keepalve = 2\n {4}\^~{7}\nlvs\.cf: 1 error\n$/,
  );
});

test('check says good, and warnings alone are good', () => {
  assert.deepEqual(check(GOOD), {
    stdout: 'lvs.cf: good, 1 service, 0 real servers\n',
    stderr: '',
    exitCode: 0,
  });
  const warned = check(`heartbeat = 1\n${GOOD}`);
  assert.equal(warned.exitCode, 0);
  assert.match(warned.stdout, /^lvs\.cf:1:1: warning: .*\n.*\n.*\nlvs\.cf: good, .*, 1 warning\n$/);
});

test('check --strict tells the line and the reason of 0.8.6', () => {
  assert.deepEqual(check(`${GOOD}keepalive=3\n`, '--strict'), {
    stdout: [
      'lvs.cf:6:1: error: Piranha 0.8.6 refuses this line: unknown command',
      '    keepalive=3',
      '    ^~~~~~~~~~~',
      'lvs.cf: 1 error',
      '',
    ].join('\n'),
    stderr: '',
    exitCode: 1,
  });
  assert.equal(check(`${GOOD}keepalive=3\n`).exitCode, 0);
});

test('check --strict only warns of what 0.8.6 takes and this program does not', () => {
  const text = `${GOOD}keepalive = 9\ndeadtime = 3\n`;
  assert.equal(check(text).exitCode, 1);
  const strict = check(text, '--strict');
  assert.equal(strict.exitCode, 0);
  assert.match(strict.stdout, /lvs\.cf:7:1: warning: deadtime \(3000 ms\) is not above keepalive/);
});

test('check --json gives every field', () => {
  const { stdout, exitCode } = check(`keepalve = 2\n${GOOD}`, '--json');
  assert.equal(exitCode, 1);
  assert.deepEqual(JSON.parse(stdout), {
    v: 1,
    file: 'lvs.cf',
    isStrict: false,
    errors: 1,
    warnings: 0,
    problems: [
      {
        severity: 'error',
        code: 'unknown-directive',
        file: 'lvs.cf',
        line: 1,
        column: 1,
        length: 8,
        found: 'keepalve',
        message: 'unknown directive `keepalve`; did you mean `keepalive`?',
        suggestion: 'keepalive',
      },
    ],
  });
});

test('check cuts a long line around the place', () => {
  const { stdout } = check(`${GOOD}active_cmd = ${'x'.repeat(200)} y\n`);
  const [, quoted = '', caret = ''] = stdout.split('\n');
  assert.ok(quoted.length <= 100);
  assert.equal(quoted[caret.indexOf('^')], 'y');
});

test('a file that cannot be read, and a call that is wrong, are told on standard error', () => {
  const world = worldOf(utf8(GOOD));
  assert.deepEqual(runCheck(['missing.cf'], world), {
    stdout: '',
    stderr: 'missing.cf: cannot be read: no such file or directory\n',
    exitCode: 1,
  });
  assert.match(runCheck([], world).stderr, /^\/etc\/sysconfig\/ha\/lvs\.cf: cannot be read/);
  assert.match(runCheck(['a', 'b'], world).stderr, /unexpected argument b/);
  assert.match(runCheck(['--stict', 'a'], world).stderr, /unknown option --stict/);
  assert.match(runFmt(['missing.cf'], world).stderr, /^missing\.cf: cannot be read/);
  assert.match(runFmt([], world).stderr, /^piranha fmt: which file\?/);
});

test('fmt prints the formatted file; --write changes it, and only when there is something to change', () => {
  const messy = utf8('primary=10.0.0.1\n');
  const tidy = 'primary = 10.0.0.1\n';
  const written: Uint8Array[] = [];
  assert.equal(runFmt(['lvs.cf'], worldOf(messy, written)).stdout, tidy);
  assert.deepEqual(written, []);
  assert.equal(runFmt(['-w', 'lvs.cf'], worldOf(messy, written)).stdout, 'lvs.cf: formatted\n');
  assert.deepEqual(written, [utf8(tidy)]);
  assert.equal(runFmt(['--write', 'lvs.cf'], worldOf(utf8(tidy), written)).stdout, '');
  assert.equal(written.length, 1);
});

test('a file that is no UTF-8 keeps its bytes', () => {
  const bytes = Uint8Array.from([...utf8('# caf'), 0xe9, ...utf8('\nprimary=10.0.0.1\n')]);
  const written: Uint8Array[] = [];
  runFmt(['-w', 'lvs.cf'], worldOf(bytes, written));
  assert.deepEqual(written, [
    Uint8Array.from([...utf8('# caf'), 0xe9, ...utf8('\nprimary = 10.0.0.1\n')]),
  ]);
  const { text, encode } = decodeText(utf8('\ufeff# é\n'));
  assert.deepEqual(encode(text), utf8('\ufeff# é\n'));
});
