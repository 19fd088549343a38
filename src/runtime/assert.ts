/** A bug was found: never caught on purpose, never used for bad input or a failing world. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws when `condition` is false; the message says what must have held. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a union: a compile error when a case is missing, an assertion at run time. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable case: ${JSON.stringify(value)}`);
}
