/**
 * The dns dialogue: one question over UDP. The check is passed when the server answers this very question with
 * NOERROR; what stands in the answer is not looked at, a truncated answer is one.
 *
 * Answers that do not carry our number and our question are ignored, not judged: anyone can forge one, and must not be
 * able to take a server out with it. Source: RFC 1035 §4.1, RFC 6895 §2.3.
 */
import { err, ok, type Result, utf8 } from '../base/index.ts';
import { type DnsType, down, UP, type Verdict } from '../model/index.ts';
import type { Script } from './dialogue.ts';

const TYPES: { readonly [type in DnsType]: number } = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const HEADER = 12;
const INTERNET = 1;

/** `newNumber` gives the number of each question, 0-65535, not to be guessed. */
export function dnsScript(name: string, type: DnsType, newNumber: () => number): Script {
  const question = encodeQuestion(name, type);
  if (!question.ok) return down('bad-check', `dns_name: ${question.error}`);
  return () => {
    const opening = encodeQuery(newNumber(), question.value);
    return {
      opening,
      awaits: 'an answer to our question',
      receive: (bytes) => judgeAnswer(bytes, opening),
      end: () => down('closed', 'before an answer'),
    };
  };
}

/** Name in wire form, type, class IN. */
export function encodeQuestion(name: string, type: DnsType): Result<Uint8Array, string> {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .filter((label, _, all) => label !== '' || all.length > 1);
  const bytes: number[] = [];
  for (const label of labels) {
    const text = utf8(label);
    if (text.length === 0) return err('two dots in a row');
    if (text.length > 63) return err('a label of more than 63 bytes');
    bytes.push(text.length, ...text);
  }
  bytes.push(0);
  if (bytes.length > 255) return err('longer than 255 bytes');
  return ok(Uint8Array.from([...bytes, 0, TYPES[type], 0, INTERNET]));
}

/** A query with recursion desired. */
export function encodeQuery(number: number, question: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + question.length);
  bytes.set([number >> 8, number & 0xff, 0x01, 0x00, 0, 1]);
  bytes.set(question, HEADER);
  return bytes;
}

/** Undefined: not an answer to `query`. */
export function judgeAnswer(bytes: Uint8Array, query: Uint8Array): Verdict | undefined {
  const [first, second, flags = 0, codes = 0] = bytes;
  if (bytes.length < HEADER || first !== query[0] || second !== query[1]) return undefined;
  const isAnswer = (flags & 0x80) !== 0 && (flags & 0x78) === 0;
  if (!isAnswer) return undefined;
  const rcode = codes & 0x0f;
  const hasQuestion = bytes[4] === 0 && bytes[5] === 1 && isSameQuestion(bytes, query);
  // A refusal may come without the question (FORMERR must); a good answer may not.
  const isBare = bytes[4] === 0 && bytes[5] === 0 && rcode !== 0;
  if (!hasQuestion && !isBare) return undefined;
  return rcode === 0 ? UP : down('wrong-answer', RCODES[rcode] ?? `rcode ${rcode}`);
}

/** Byte by byte, letters in either case (RFC 1035 §2.3.3); servers copy the question as it came. */
function isSameQuestion(bytes: Uint8Array, query: Uint8Array): boolean {
  if (bytes.length < query.length) return false;
  for (let at = HEADER; at < query.length; at++) {
    if (lower(bytes[at] ?? 0) !== lower(query[at] ?? 0)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
