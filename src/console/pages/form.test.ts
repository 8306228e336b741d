import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  addSection,
  addServer,
  checkDocument,
  type Document,
  formatDocument,
  parseDocument,
} from '../../config/index.ts';
import { changedLines, diffLines, renameSection, SectionView, setField } from './form.ts';
import {
  GLOBAL_SETTINGS,
  MONITORING_SCRIPTS,
  NEW_REAL,
  NEW_VIRTUAL,
  REAL_SERVER,
  REDUNDANCY,
  VIRTUAL_SERVER,
} from './form-fields.ts';
import { changesBetween, mergeTexts, unifiedText } from './line-diff.ts';

const TEXT = `# rack 4
serial_no = 7
primary = 10.0.0.1   # left
virtual web {
    active = 1
    address = 10.9.9.9 eth0:1
    # the shop
    server a {
        address = 10.0.0.9
    }
}
`;
const document = parseDocument(TEXT, 'lvs.cf');
const web = { service: { kind: 'virtual', name: 'web' } } as const;
const port = { key: 'port', label: '', kind: 'number' } as const;
const vip = { key: 'address', word: 0, label: '', kind: 'text' } as const;
const device = { key: 'address', word: 1, label: '', kind: 'text' } as const;

function changed(edited: { ok: boolean; value?: Document }): string {
  assert.ok(edited.ok && edited.value !== undefined);
  return formatDocument(edited.value);
}

test('a field changes its own line and keeps every comment', () => {
  const primary = { key: 'primary', label: '', kind: 'text' } as const;
  const text = changed(setField(document, {}, primary, '10.0.0.2'));
  assert.match(text, /^primary = 10\.0\.0\.2 # left$/m);
  assert.equal(changedLines(TEXT, text), 1);
  assert.match(text, /# the shop/);
});

test('an emptied field takes its directive away, and one that was not there changes nothing', () => {
  const active = { key: 'active', label: '', kind: 'switch' } as const;
  assert.doesNotMatch(changed(setField(document, web, active, '')), /active = 1/);
  assert.equal(changed(setField(document, web, port, '')), TEXT);
});

test('address and device are two fields of one line', () => {
  const moved = changed(setField(document, web, vip, '10.9.9.8'));
  assert.match(moved, /address = 10\.9\.9\.8 eth0:1/);
  const view = new SectionView(document, web, []);
  assert.equal(view.field(vip).value, '10.9.9.9');
  assert.equal(view.field(device).value, 'eth0:1');
  assert.match(changed(setField(document, web, device, 'eth1:2')), /address = 10\.9\.9\.9 eth1:2/);
});

test('a broken field carries the sentence of the parser', () => {
  const edited = setField(document, web, port, '80x');
  assert.ok(edited.ok);
  const { problems } = checkDocument(edited.value);
  const { problems: ofField } = new SectionView(edited.value, web, problems).field(port);
  assert.match(ofField[0]?.message ?? '', /whole number/);
});

test('a section is renamed in place, and never to the name of another', () => {
  const renamed = renameSection(document, web, 'shop');
  assert.ok(renamed.ok);
  assert.equal(formatDocument(renamed.value), TEXT.replace('virtual web', 'virtual shop'));
  const two = addSection(document, 'virtual', { name: 'mail', directives: NEW_VIRTUAL });
  assert.ok(two.ok);
  const clash = renameSection(two.value, web, 'mail');
  assert.match(clash.ok ? '' : clash.error, /already a virtual mail/);
  const odd = renameSection(document, web, 'a b');
  assert.match(odd.ok ? '' : odd.error, /one word/);
});

test('the templates of a new service and a new server are good but for their addresses', () => {
  const added = addSection(document, 'virtual', { name: 'new', directives: NEW_VIRTUAL });
  assert.ok(added.ok);
  const service = { service: { kind: 'virtual', name: 'new' } } as const;
  const both = addServer(added.value, service, { name: 'one', directives: NEW_REAL });
  assert.ok(both.ok);
  const errors = checkDocument(both.value).problems.filter(({ severity }) => severity === 'error');
  assert.ok(
    errors.every(({ found, message }) => `${found} ${message}`.includes('0.0.0.0')),
    JSON.stringify(errors),
  );
});

test('every field is a directive that the parser knows in its place', () => {
  const unknown = (groups: typeof GLOBAL_SETTINGS, wrap: (line: string) => string) =>
    groups.flatMap(({ fields }) =>
      fields.filter(({ key }) =>
        checkDocument(parseDocument(wrap(`${key} = 1`), 'x')).problems.some(({ code }) =>
          ['unknown-directive', 'misplaced-directive'].includes(code),
        ),
      ),
    );
  assert.deepEqual(
    unknown(GLOBAL_SETTINGS, (line) => line),
    [],
  );
  assert.deepEqual(
    unknown(REDUNDANCY, (line) => line),
    [],
  );
  const inVirtual = (line: string): string => `virtual a {\n${line}\n}\n`;
  assert.deepEqual(unknown(VIRTUAL_SERVER, inVirtual), []);
  assert.deepEqual(unknown(MONITORING_SCRIPTS, inVirtual), []);
  assert.deepEqual(
    unknown(REAL_SERVER, (line) => inVirtual(`server b {\n${line}\n}`)),
    [],
  );
});

test('every choice of a field is one that the parser takes', () => {
  for (const [groups, path] of [
    [GLOBAL_SETTINGS, {}],
    [REDUNDANCY, {}],
    [VIRTUAL_SERVER, web],
    [MONITORING_SCRIPTS, web],
  ] as const) {
    for (const field of groups.flatMap(({ fields }) => fields)) {
      for (const [value] of field.choices ?? []) {
        const edited = setField(document, path, field, value);
        assert.ok(edited.ok);
        const { problems } = checkDocument(edited.value);
        const bad = problems.filter(({ code }) => code === 'not-a-choice');
        assert.deepEqual(bad, [], `${field.key} = ${value}`);
      }
    }
  }
});

test('a unified diff becomes rows with their kind', () => {
  const rows = diffLines('--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new\n');
  assert.deepEqual(
    rows.map(({ kind }) => kind),
    ['hunk', 'same', 'removed', 'added'],
  );
});

const line = fc.constantFrom('a', 'b', 'c', 'd');
const someText = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'));

test('the changes between two texts make the one of the other', () => {
  fc.assert(
    fc.property(someText, someText, (before, after) => {
      const lines = before.split('\n');
      for (const { from, to, lines: put } of changesBetween(before, after).toReversed()) {
        lines.splice(from, to - from, ...put);
      }
      assert.equal(lines.join('\n'), after);
    }),
  );
});

test('two people who change different places lose nothing; the same place is for them to decide', () => {
  const base = 'one\ntwo\nthree\nfour\nfive\nsix\n';
  const mine = base.replace('two', 'TWO');
  const theirs = base.replace('five', 'FIVE').replace('six', 'six\nseven');
  assert.equal(mergeTexts(base, mine, theirs), 'one\nTWO\nthree\nfour\nFIVE\nsix\nseven\n');
  assert.equal(mergeTexts(base, mine, base.replace('two', 'zwei')), undefined);
  assert.equal(mergeTexts(base, mine, mine), mine);
  assert.match(unifiedText(base, mine), /-two\n\+TWO/);
  const [a, b] = [base.replace('two', 'two\nA'), base.replace('two', 'two\nB')];
  assert.equal(mergeTexts(base, a, b), base.replace('two', 'two\nB\nA'));
});

test('a merge with nobody is what was written', () => {
  fc.assert(
    fc.property(someText, someText, (base, mine) => {
      assert.equal(mergeTexts(base, mine, base), mine);
      assert.equal(mergeTexts(base, base, mine), mine);
    }),
  );
});
