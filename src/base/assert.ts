/**
 * Our own mistakes end the process: a director that is wrong about itself must not keep a VIP.
 * On in production; the supervisor restarts us, the partner takes over meanwhile.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The end of every switch over a closed union: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
