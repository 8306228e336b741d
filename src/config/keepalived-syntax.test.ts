import assert from 'node:assert/strict';
import test from 'node:test';
import { err, ok } from '../base/index.ts';
import type { LinesOptions } from './keepalived-lines.ts';
import { Notes } from './keepalived-notes.ts';
import { type Entry, parseKeepalived } from './keepalived-syntax.ts';

/** `${`, which the style of strings here forbids. */
const OPEN = '$\u007b';

function parsed(text: string, options: LinesOptions = {}) {
  const notes = new Notes();
  const entries = parseKeepalived(text, options, notes);
  const told = notes.list.map(({ kind, file, line, keyword }) =>
    [kind, file, line, keyword].filter((part) => part !== undefined).join(' '),
  );
  return { entries, told, sentences: notes.list.map(({ sentence }) => sentence) };
}

/** Entries as one line of text each. */
function flat(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ key, args, children }) => {
    const head = [key, ...args].join(' ');
    return children === undefined ? [head] : [`${head} {`, ...flat(children), '}'];
  });
}

function linesOf(text: string, options?: LinesOptions): string[] {
  const { entries, told } = parsed(text, options);
  assert.deepEqual(told, []);
  return flat(entries);
}

test('quotes, comments, braces and definitions are read as keepalived reads them', () => {
  const text = [
    '$PORT=80',
    `$VIP=192.0.2.${OPEN}LAST}`,
    '$LAST=80',
    '! said above',
    `virtual_server ${OPEN}VIP} $PORT { # why not`,
    '  quorum_up "/bin/a \\"b\\" # no comment" root',
    '  real_server 192.0.2.21 80',
    '  {',
    '  }',
    '}',
  ].join('\r\n');
  const { entries, told } = parsed(text);
  assert.deepEqual(told, []);
  assert.deepEqual(entries, [
    {
      key: 'virtual_server',
      args: ['192.0.2.80', '80'],
      line: 5,
      comments: ['said above'],
      children: [
        { key: 'quorum_up', args: ['/bin/a "b" # no comment', 'root'], line: 6, comments: [] },
        { key: 'real_server', args: ['192.0.2.21', '80'], line: 7, comments: [], children: [] },
      ],
    },
  ]);
});

test('words of commands are quoted in parts and escaped; other words end at a double quote', () => {
  const argsOf = (text: string) => parsed(text).entries[0]?.args;
  assert.deepEqual(argsOf(`notify abcd" efg h jkl "mnop`), ['abcd efg h jkl mnop']);
  assert.deepEqual(argsOf(`notify abcd "efg h" 'i "j'`), ['abcd', 'efg h', 'i "j']);
  assert.deepEqual(argsOf('script a\\tb \\x41\\102\\cA \\#x'), ['a\tb', 'AB\x01', '#x']);
  assert.deepEqual(argsOf(`auth_pass it's`), ["it's"]);
  assert.deepEqual(argsOf('path "a b"c'), ['a b', 'c']);
  assert.deepEqual(argsOf('path a\\#b#c'), ['a#b']);
});

test('a brace is a word wherever it stands outside of double quotes', () => {
  const block = ['a b {', 'c', 'd {', '}', '}', 'e'];
  assert.deepEqual(linesOf('a b{c\nd{}}e'), block);
  assert.deepEqual(linesOf('a b\n{\nc\nd\n{\n}\n}\ne'), block);
  assert.deepEqual(linesOf('path "{"\n'), ['path {']);
});

test('a line for one machine counts for it alone, also behind a definition', () => {
  const text = '@main $P=240\n@^main $P=200\n$IF=@main\npriority $P\n$IF state MASTER\n';
  assert.deepEqual(linesOf(text, { configId: 'main' }), ['priority 240', 'state MASTER']);
  assert.deepEqual(linesOf(text, { configId: 'other' }), ['priority 200']);
  const { told } = parsed(text);
  assert.deepEqual(told, ['lost 1 @main', 'lost 2 @^main', 'lost 5 @main']);
});

test('a definition of several lines is written out, nested ones, too', () => {
  const text = [
    '$RS= \\',
    `real_server 192.0.2.${OPEN}N} 80 { \\`,
    '  # not a line \\',
    '  weight 1 \\',
    '}',
    '$VS= \\',
    `virtual_server 192.0.2.8${OPEN}M} 80 { \\`,
    '  $N=1 \\',
    '  $RS \\',
    '  $N=2 \\',
    '  $RS \\',
    '}',
    '$M=1',
    '$VS',
    '$M=2',
    '$VS',
  ].join('\n');
  const servers = [1, 2].flatMap((n) => [`real_server 192.0.2.${n} 80 {`, 'weight 1', '}']);
  assert.deepEqual(
    linesOf(text),
    [81, 82].flatMap((m) => [`virtual_server 192.0.2.${m} 80 {`, ...servers, '}']),
  );
});

test('sequences and lists are written out, one within the other', () => {
  assert.deepEqual(linesOf(`~SEQ(A, 0, 2) ip 10.0.${OPEN}A}.1`), [
    'ip 10.0.0.1',
    'ip 10.0.1.1',
    'ip 10.0.2.1',
  ]);
  assert.deepEqual(linesOf(`~SEQx(A, 0x90, 0x10, 0xb0) ip fe80::${OPEN}A}`), [
    'ip fe80::90',
    'ip fe80::a0',
    'ip fe80::b0',
  ]);
  assert.deepEqual(linesOf(`~SEQ(A, 2) ip $A\n~SEQ(B, 3, -2, 0) ip $B`), [
    'ip 1',
    'ip 2',
    'ip 3',
    'ip 1',
  ]);
  const list = `~LST({A, B}, {10,1},{20,4}) ~SEQ(C,168,2,170) ip 192.${OPEN}C}.${OPEN}A}.${OPEN}B}`;
  assert.deepEqual(linesOf(list), [
    'ip 192.168.10.1',
    'ip 192.170.10.1',
    'ip 192.168.20.4',
    'ip 192.170.20.4',
  ]);
  assert.deepEqual(linesOf(`$N=2\n~SEQ(A, 1, $N) ip $A`), ['ip 1', 'ip 2']);
  for (const wrong of [
    '~SEQ(A) x',
    '~SEQ(A, 1, 0, 5) x',
    '~SEQ(A, 1, 9999999) x',
    '~LST(A) x',
    '~X',
  ]) {
    assert.equal(parsed(wrong).told[0]?.startsWith('lost 1 ~'), true, wrong);
  }
});

test('what keepalived defines itself is known', () => {
  assert.deepEqual(linesOf(`misc_path ${OPEN}_PWD}/a`, { file: '/etc/k/k.conf' }), [
    'misc_path /etc/k/a',
  ]);
  assert.deepEqual(linesOf(`x ${OPEN}_INSTANCE} a${OPEN}_HASH}b`, { configId: 'm' }), ['x m a#b']);
  const { entries, told } = parsed(`x ${OPEN}_RANDOM 5 9}`);
  assert.deepEqual([flat(entries), told], [['x 5'], ['changed 1 $_RANDOM']]);
});

test('included files are read in their place, and know where they are', () => {
  const files = new Map([
    ['a.conf', 'one\n'],
    ['b.conf', `two ${OPEN}_PWD}\n\n}\n`],
  ]);
  const include = (pattern: string, from: string) => {
    assert.equal(from, '/etc/k/k.conf');
    if (pattern === 'none') return ok([]);
    if (pattern === 'far') return err('is far away');
    return ok(Array.from(files, ([name, text]) => ({ path: `/etc/k/d/${name}`, text })));
  };
  const options = { file: '/etc/k/k.conf', include };
  const { entries, told } = parsed(
    'zero\ninclude d/*\ninclude none\nincludea far\nlast\n',
    options,
  );
  assert.deepEqual(flat(entries), ['zero', 'one', `two /etc/k/d`, 'last']);
  assert.deepEqual(told, ['lost 3 include', 'refused 4 includea', 'changed /etc/k/d/b.conf 3 }']);
});

test('a file that includes itself is refused, and so is a chain without an end', () => {
  const itself = parsed('include x', {
    file: '/k',
    include: (_, from) => ok([{ path: from === '/k' ? '/x' : '/k', text: 'include y' }]),
  });
  assert.deepEqual(itself.told, ['refused /x 1 include']);
  let count = 0;
  const chain = parsed('include x', {
    include: () => ok([{ path: `/${count++}`, text: 'include y\ninclude z' }]),
  });
  assert.ok(chain.sentences.every((sentence) => /deeper than 10/.test(sentence)));
});

test('a few lines that ask for endless ones end in one sentence', () => {
  const bombs = [
    '$A=$A$A\n$A',
    '$A= \\\n$A \\\n$A\n$A',
    '~SEQ(A,1,100000)\n'.repeat(100),
    'a{'.repeat(2000),
    `${'y '.repeat(4000)}\n`,
  ];
  for (const bomb of bombs) {
    const { sentences } = parsed(bomb);
    const last = sentences.findLast((sentence) => /more than|deeper than/.test(sentence));
    assert.ok(last !== undefined, bomb.slice(0, 40));
  }
});

test('only a definition goes on in the next line', () => {
  const { entries, told } = parsed('a b \\\nc');
  assert.deepEqual([flat(entries), told], [['a b', 'c'], ['changed 1 \\']]);
});
