import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatDocument, parseDocument } from './document.ts';
import { fuzzConfig, meaning } from './fuzz.ts';
import { normaliseDocument } from './normalise.ts';
import { parseSettings } from './parse.ts';
import { strictVerdict } from './strict.ts';

function format(text: string): string {
  return formatDocument(normaliseDocument(parseDocument(text, 'lvs.cf')));
}

test('C4 fmt puts blanks in order and keeps comments, order, quotes and unknown keys', () => {
  const before = `
# the pair   in rack 4
primary=10.0.0.1# no comment
 backup  =   10.0.0.2   # right \t
my_key = a   b
virtual   "my web"   {   # shop
active=1
  # inside
\taddress\t=\t10.9.9.9   eth0:1
        send = "GET  /"   # two blanks
server a {
address=10.0.0.9
 } # a
}   
send = "never closed
}`;
  const after = `
# the pair   in rack 4
primary = 10.0.0.1# no comment
backup = 10.0.0.2 # right
my_key = a b
virtual "my web" { # shop
    active = 1
    # inside
    address = 10.9.9.9 eth0:1
    send = "GET  /"   # two blanks
    server a {
        address = 10.0.0.9
    } # a
}
send = "never closed
}
`;
  assert.equal(format(before), after);
  assert.equal(format(after), after);
});

test('C4 fmt turns carriage returns into what 0.8.6 can read', () => {
  const dos = 'primary = 10.0.0.1\r\nkeepalive=3\r\n';
  assert.equal(format(dos), 'primary = 10.0.0.1\nkeepalive = 3\n');
  assert.equal(strictVerdict(format(dos)), undefined);
});

test('C4 fmt is stable on any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(format(format(text)), format(text));
    }),
  );
});

test('fmt does not indent a hostile file for ever', () => {
  const formatted = format('a b {\n'.repeat(10_000));
  assert.ok(formatted.length < 250_000);
  assert.equal(format(formatted), formatted);
});

test('C4 what 0.8.6 took it takes after fmt, and it means the same', () => {
  const text = 'primary=10.0.0.1\nvirtual a {\naddress = 10.9.9.9   eth0:1\nsend = "a" b"\n} x\n';
  assert.equal(
    meaning(parseSettings(format(text), { file: 'lvs.cf' }).settings),
    meaning(parseSettings(text, { file: 'lvs.cf' }).settings),
  );
  const strict = 'primary  =  10.0.0.1\nvirtual a {\nexpect = "OK" # 5"\nsend = "a  b"\n} x\n';
  assert.equal(strictVerdict(strict), undefined);
  assert.equal(strictVerdict(format(strict)), undefined);
});

test('2,000 hostile files: no exception, no byte lost, fmt changes no meaning', () => {
  const counts = fuzzConfig(2000, 140414);
  assert.equal(counts.files, 2000);
  assert.ok(counts.accepted > 20 && counts.acceptedStrictly > 20, JSON.stringify(counts));
});
