/** Errnos as names: what the kernel refused, as a value that a person can read. */
import { constants } from 'node:os';
import type { PortError } from '../model/index.ts';

/** Those that node:os does not know, and the usual one of two names (asm-generic/errno.h). */
const FURTHER = {
  EAGAIN: 11,
  EOPNOTSUPP: 95,
  ENONET: 64,
  ECOMM: 70,
  ENOTUNIQ: 76,
  EBADFD: 77,
  EREMCHG: 78,
  EUSERS: 87,
  ESOCKTNOSUPPORT: 94,
  EPFNOSUPPORT: 96,
  ESHUTDOWN: 108,
  EHOSTDOWN: 112,
  EREMOTEIO: 121,
  ENOMEDIUM: 123,
  ENOKEY: 126,
  EKEYEXPIRED: 127,
  EKEYREVOKED: 128,
  EKEYREJECTED: 129,
  EOWNERDEAD: 130,
  ENOTRECOVERABLE: 131,
  ERFKILL: 132,
};

const names = new Map<number, string>();
for (const [name, number] of Object.entries({ ...FURTHER, ...constants.errno })) {
  if (!names.has(number)) names.set(number, name);
}

/** `ENOENT` for 2 or -2; `errno 4095` for a number without a name. */
export function errnoName(errno: number): string {
  return names.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/**
 * The error of a call that gave `result` (negative errno) or that ended for a reason of ours (a
 * word).
 */
export function portError(
  operation: string,
  target: string,
  result: number | string,
  kernelText?: string,
): PortError {
  const code = typeof result === 'number' ? errnoName(result) : result;
  return { operation, target, code, ...(kernelText !== undefined && { kernelText }) };
}
