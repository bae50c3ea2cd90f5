/**
 * A bounded memory for answers that are functions of their key: the entry that was asked for the longest time ago gives way. What it holds
 * decides how long an answer takes and never what it is.
 */
import { invariant } from './invariant.js';

/** Remembers the answers of the `capacity` keys that were asked for last. */
export class LruCache<Answer> {
  readonly #capacity: number;
  readonly #entries = new Map<string, Answer>();

  constructor(capacity: number) {
    invariant(capacity >= 1, 'a cache holds at least one answer');
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The answer to `key`, found by `answer` unless it is remembered. */
  remember(key: string, answer: () => Answer): Answer {
    const known = this.#entries.get(key);
    const found = known ?? answer();
    this.#entries.delete(key);
    this.#entries.set(key, found);
    if (this.#entries.size > this.#capacity) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return found;
  }
}
