/**
 * Result: the answer of anything that can fail by bad input (house rule "three kinds of errors").
 * A value, not an exception, so that a caller cannot forget the bad case. Rejected: neverthrow and the like,
 * a tagged union of twenty lines needs no dependency.
 */
export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };
export type Result<T, E> = Ok<T> | Err<E>;

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function err<E>(error: E): Err<E> {
  return { ok: false, error };
}
