import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Result } from '../base/index.ts';
import { type Document, formatDocument, parseDocument } from './document.ts';
import {
  addSection,
  addServer,
  bumpSerial,
  type EditFault,
  formatValue,
  removeDirective,
  removeSection,
  setDirective,
} from './edit.ts';
import { parseSettings } from './parse.ts';
import { strictVerdict } from './strict.ts';

const TEXT = `# the pair in rack 4
serial_no = 7
primary=10.0.0.1   # left
backup = 10.0.0.2
old_key = kept

virtual web {
\tactive = 1
\taddress = 10.9.9.9 eth0:1
\t# shop
\tserver a {
\t\taddress = 10.0.0.9
\t}
}
`;

const web = { kind: 'virtual', name: 'web' } as const;

function edit(text: string, change: (document: Document) => Result<Document, EditFault>): string {
  const edited = change(parseDocument(text, 'lvs.cf'));
  assert.ok(edited.ok, edited.ok ? '' : edited.error);
  return formatDocument(edited.value);
}

function refusal(
  text: string,
  change: (document: Document) => Result<Document, EditFault>,
): EditFault {
  const edited = change(parseDocument(text, 'lvs.cf'));
  assert.ok(!edited.ok);
  return edited.error;
}

test('C4 setting a directive rewrites its line and no other', () => {
  assert.equal(
    edit(TEXT, (document) => setDirective(document, {}, 'primary', ['10.0.0.3'])),
    TEXT.replace('primary=10.0.0.1   # left', 'primary = 10.0.0.3 # left'),
  );
  assert.equal(
    edit(TEXT, (d) => setDirective(d, { service: web }, 'address', ['10.9.9.8', 'eth1:2'])),
    TEXT.replace('10.9.9.9 eth0:1', '10.9.9.8 eth1:2'),
  );
});

test('C4 a new directive stands behind its neighbours, indented like them, before the real servers', () => {
  assert.equal(
    edit(TEXT, (document) => setDirective(document, {}, 'keepalive', ['3'])),
    TEXT.replace('old_key = kept\n', 'old_key = kept\nkeepalive = 3\n'),
  );
  assert.equal(
    edit(TEXT, (document) => setDirective(document, { service: web }, 'port', ['8080'])),
    TEXT.replace('eth0:1\n', 'eth0:1\n\tport = 8080\n'),
  );
  assert.equal(
    edit(TEXT, (document) =>
      setDirective(document, { service: web, server: 'a' }, 'weight', ['3']),
    ),
    TEXT.replace('10.0.0.9\n', '10.0.0.9\n\t\tweight = 3\n'),
  );
});

test('C4 line endings stay what they were, a missing last one is added only where a line follows', () => {
  const dos = 'primary = 10.0.0.1\r\nbackup = 10.0.0.2';
  assert.equal(
    edit(dos, (document) => setDirective(document, {}, 'backup', ['10.0.0.3'])),
    'primary = 10.0.0.1\r\nbackup = 10.0.0.3',
  );
  assert.equal(
    edit('a = 1', (document) => setDirective(document, {}, 'b', ['2'])),
    'a = 1\nb = 2\n',
  );
});

test('C4 of repeated assignments the one in force is changed, all are removed', () => {
  const twice = 'keepalive = 1\nkeepalive = 2\n';
  assert.equal(
    edit(twice, (document) => setDirective(document, {}, 'keepalive', ['3'])),
    'keepalive = 1\nkeepalive = 3\n',
  );
  assert.equal(
    edit(twice, (document) => removeDirective(document, {}, 'keepalive')),
    '',
  );
});

test('C4 sections and real servers come and go', () => {
  const server = {
    name: 'b',
    directives: [
      ['address', '10.0.0.8'],
      ['active', '1'],
    ],
  } as const;
  const withServer = edit(TEXT, (document) => addServer(document, { service: web }, server));
  assert.equal(
    withServer,
    `${TEXT.slice(0, -2)}\tserver b {\n\t\taddress = 10.0.0.8\n\t\tactive = 1\n\t}\n}\n`,
  );
  assert.equal(
    edit(withServer, (document) => removeSection(document, { service: web, server: 'b' })),
    TEXT,
  );
  const service = {
    name: 'my mail',
    directives: [
      ['address', '10.9.9.8', 'eth0:2'],
      ['send', 'a b'],
    ],
  } as const;
  const withService = edit(TEXT, (document) => addSection(document, 'virtual', service));
  assert.equal(
    withService,
    `${TEXT}\nvirtual "my mail" {\n\taddress = 10.9.9.8 eth0:2\n\tsend = "a b"\n}\n`,
  );
  const mail = { kind: 'virtual', name: 'my mail' } as const;
  assert.equal(
    edit(withService, (document) => removeSection(document, { service: mail })),
    TEXT,
  );
});

test('C4 serial_no counts edits', () => {
  assert.equal(edit(TEXT, bumpSerial), TEXT.replace('serial_no = 7', 'serial_no = 8'));
  assert.equal(edit('primary = 1.2.3.4\n', bumpSerial), 'serial_no = 1\nprimary = 1.2.3.4\n');
  assert.equal(refusal('serial_no = x\n', bumpSerial), 'serial-not-a-number');
});

test('an edit that cannot be made is refused with its reason', () => {
  const rows: readonly (readonly [
    EditFault,
    (document: Document) => Result<Document, EditFault>,
  ])[] = [
    [
      'no-such-section',
      (d) => setDirective(d, { service: { kind: 'virtual', name: 'x' } }, 'port', ['1']),
    ],
    ['no-such-section', (d) => setDirective(d, { service: web, server: 'z' }, 'port', ['1'])],
    ['no-such-section', (d) => removeSection(d, { service: web, server: 'z' })],
    ['no-such-section', (d) => removeSection(d, {})],
    ['no-such-directive', (d) => removeDirective(d, {}, 'keepalive')],
    ['section-exists', (d) => addSection(d, 'virtual', { name: 'web', directives: [] })],
    ['section-exists', (d) => addServer(d, { service: web }, { name: 'a', directives: [] })],
    ['cannot-be-written', (d) => setDirective(d, {}, 'active_cmd', ['a\nb'])],
    ['cannot-be-written', (d) => setDirective(d, {}, 'active_cmd', [`"a' b`])],
    ['cannot-be-written', (d) => setDirective(d, {}, 'active cmd', ['a'])],
    ['cannot-be-written', (d) => setDirective(d, {}, 'active_cmd', [])],
  ];
  for (const [fault, change] of rows) assert.equal(refusal(TEXT, change), fault);
  const open = 'virtual web {\n';
  assert.equal(
    refusal(open, (d) => removeSection(d, { service: web })),
    'section-not-closed',
  );
  assert.equal(
    refusal(open, (d) => addSection(d, 'virtual', { name: 'b', directives: [] })),
    'section-not-closed',
  );
});

test('C4 any value that can be written is read back by both grammars', () => {
  const texts = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('"', "'", ' ', '#', '=', 'a', '\\', '}', '\t'))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (value) => {
      const document = parseDocument('primary = 10.0.0.1\n', 'lvs.cf');
      const edited = setDirective(document, {}, 'active_cmd', [value]);
      assert.equal(edited.ok, formatValue(value) !== undefined);
      if (!edited.ok) return;
      const text = formatDocument(edited.value);
      assert.equal(strictVerdict(text), undefined, text);
      assert.equal(parseSettings(text, { file: 'lvs.cf' }).settings?.activeCommand, value, text);
    }),
  );
});
