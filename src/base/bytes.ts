/** Small helpers over Uint8Array. Above the platform line Node's Buffer does not exist (the browser runs these rooms). */

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `da db ad bd`: two digits a byte, separated by `separator` (a space unless told). */
export function toHex(bytes: Uint8Array, separator = ' '): string {
  let text = '';
  for (const byte of bytes) text += (text === '' ? '' : separator) + DIGITS[byte];
  return text;
}

/** Reads hexadecimal digits; everything that is not a digit is skipped, so annotated captures can be pasted. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/[^0-9a-fA-F]/g, '');
  const bytes = new Uint8Array(digits.length >> 1);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes as text; bad sequences become U+FFFD, never an exception. */
export function fromUtf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
