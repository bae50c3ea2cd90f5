/** A broken assumption of our own: a bug, never bad input. It stops what it was part of and is meant to be seen. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Throws InvariantViolation unless `condition` holds; `message` states the assumption. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}
