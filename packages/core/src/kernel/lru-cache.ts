/** Cache of a pure function, so its content only affects speed. */
export class LruCache<Answer> {
  readonly #capacity: number;
  readonly #entries = new Map<string, Answer>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

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

/** One cache per owner. It is freed with its owner. */
export class CacheByOwner<Answer> {
  readonly #capacity: number;
  readonly #caches = new WeakMap<object, LruCache<Answer>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  remember(owner: object, key: string, answer: () => Answer): Answer {
    const cache = this.#caches.get(owner) ?? new LruCache<Answer>(this.#capacity);
    this.#caches.set(owner, cache);
    return cache.remember(key, answer);
  }
}
