import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatDocument, parseDocument, parseStatement } from './document.ts';

/** What a line says, in one short text. */
function say(line: string): string {
  const statement = parseStatement(line);
  switch (statement.kind) {
    case 'blank':
      return 'blank';
    case 'directive': {
      const values = statement.values.map((word) => `<${word.text}>`).join('');
      const comment = statement.comment === undefined ? '' : ` #${statement.comment}`;
      return `${statement.key.text}=${values}${comment}`;
    }
    case 'open':
      return `open ${statement.keyword.text} <${statement.name.text}>`;
    case 'close':
      return statement.rest === undefined ? 'close' : `close, then <${statement.rest.text}>`;
    case 'malformed':
      return `${statement.fault} at ${statement.column}`;
  }
}

test('a document gives back every text to the byte', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom(' ', '\t', '\r', '\n', '"', '#', '{', '}', '=', 'a', '\0', '\r\n'))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(formatDocument(parseDocument(text, 'lvs.cf')), text);
    }),
  );
});

test('a line is read as the tolerant grammar says', () => {
  const rows: readonly (readonly [line: string, meaning: string])[] = [
    ['', 'blank'],
    [' \t\r\n', 'blank'],
    ['  # port = 1', 'blank'],
    ['port = 80', 'port=<80>'],
    ['\tport\t=\t80\r\n', 'port=<80>'],
    ['port=80', 'port=<80>'],
    ['port= 80', 'port=<80>'],
    ['port =80', 'port=<80>'],
    ['port = 80   # http', 'port=<80> #13'],
    ['port=80#1', 'port=<80#1>'],
    ['send = #ping', 'send=<#ping>'],
    ['address = 10.0.0.1 eth0:1', 'address=<10.0.0.1><eth0:1>'],
    ['send = "a b"', 'send=<a b>'],
    ['send = \'a "b"\'', 'send=<a "b">'],
    ['send = "a"b"', 'send=<a"b>'],
    ['send = "a" # c', 'send=<a> #12'],
    ['send = "a" ', 'send=<a>'],
    ['send = ""', 'send=<>'],
    ['send = "a\\"', 'send=<a\\>'],
    ['send = a"b', 'send=<a"b>'],
    ['expect = a=b', 'expect=<a=b>'],
    ['virtual web {', 'open virtual <web>'],
    ['\tserver "a b" { # rack 1', 'open server <a b>'],
    ['virtua web {', 'open virtua <web>'],
    ['virtual =x {', 'open virtual <=x>'],
    ['virtual=x {', 'section-syntax at 1'],
    ['}', 'close'],
    ['  } # end', 'close'],
    ['} else', 'close, then <else>'],
    ['send = "a b', 'unclosed-quote at 8'],
    ['send = "a"b', 'text-after-quote at 10'],
    ['port', 'missing-equals at 1'],
    ['port 80', 'missing-equals at 1'],
    ['= 80', 'missing-equals at 1'],
    ['port =', 'missing-value at 1'],
    ['port = # http', 'port=<#><http>'],
    ['virtual web', 'section-syntax at 1'],
    ['virtual {', 'section-syntax at 1'],
    ['virtual a b {', 'section-syntax at 1'],
    ['virtual web{', 'section-syntax at 1'],
  ];
  for (const [line, meaning] of rows) assert.equal(say(line), meaning, JSON.stringify(line));
});

test('words know their columns, the quotes counted', () => {
  const statement = parseStatement('  send = "GET /"');
  assert.ok(statement.kind === 'directive');
  assert.equal(statement.key.column, 3);
  assert.deepEqual(statement.values, [{ text: 'GET /', column: 10, length: 7, isQuoted: true }]);
});
