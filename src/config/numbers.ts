/**
 * Numbers and IPv4 addresses as the C library reads them, because lvs.cf has always been read with it:
 * strtol(3) with base 0 (`0x21b`, octal `010`) and inet_aton(3) (`10.1` is 10.0.0.1).
 * Written from the man pages; the quirks were confirmed against Piranha 0.8.6 (docs/lvs.cf.md "Quirks").
 */

/** Leading white space, a sign, then `0x`, octal or decimal digits; the whole text must be used. */
const INTEGER = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;

/** strtol base 0 of a whole text; undefined where a character is left over. Beyond 2^53 digits are lost. */
export function parseCInteger(text: string): number | undefined {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text); // nearly all of them
  const match = INTEGER.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  const isOctal = digits.length > 1 && /^0[0-7]+$/.test(digits);
  const value = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  return sign === '-' ? -value : value;
}

/** The same as a C int: saturated to 64 bits as strtol does, then cut to 32; an empty text is 0. */
export function parseCInt(text: string): number | undefined {
  if (text === '') return 0;
  const match = INTEGER.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  // Far beyond 64 bits the digits do not matter, and a BigInt of a million digits takes minutes.
  if (digits.length > 1000) return sign === '-' ? 0 : -1;
  const isOctal = digits.length > 1 && /^0[0-7]+$/.test(digits);
  const magnitude = BigInt(isOctal ? `0o${digits}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  const saturated = value > LONG_MAX ? LONG_MAX : value < LONG_MIN ? LONG_MIN : value;
  return Number(BigInt.asIntN(32, saturated));
}

const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);

/** True for `010`, `-07`, `00`: digits that a person reads as decimal and the C library as octal. */
export function hasLeadingZero(text: string): boolean {
  return /^[+-]?0[0-9]/.test(text.trim());
}

/**
 * inet_aton: one to four parts, each decimal, octal or hexadecimal, the last one filling what is left; anything may
 * follow after white space. Four octets in network order; undefined when it is not an address.
 */
export function parseAton(text: string): Uint8Array | undefined {
  const match = /^[0-9a-fA-FxX.]+(?=$|[ \t\n\v\f\r])/.exec(text);
  if (match === null) return undefined;
  const parts = match[0].split('.');
  const last = parts.pop();
  if (last === undefined || parts.length > 3) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    const value = parseAtonPart(part);
    if (value === undefined || value > 255) return undefined;
    bytes[index] = value;
  }
  const rest = parseAtonPart(last);
  if (rest === undefined || rest >= 256 ** (4 - parts.length)) return undefined;
  for (let index = 3, value = rest; index >= parts.length; index--) {
    bytes[index] = value % 256;
    value = Math.floor(value / 256);
  }
  return bytes;
}

function parseAtonPart(text: string): number | undefined {
  return /^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.test(text) ? parseCInteger(text) : undefined;
}
