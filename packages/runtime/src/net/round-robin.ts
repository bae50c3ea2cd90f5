/** Waiting items by connection. Connections are served round-robin, the items of one in order. */
export class RoundRobin<T> {
  /** The next connection comes first. */
  readonly #items = new Map<object, T[]>();

  /** Number of connections with waiting items. */
  get size(): number {
    return this.#items.size;
  }

  get first(): T | undefined {
    for (const [first] of this.#items.values()) return first;
    return undefined;
  }

  /** Connections with waiting items, the next one first. */
  get connections(): Iterable<object> {
    return this.#items.keys();
  }

  has(connection: object): boolean {
    return this.#items.has(connection);
  }

  add(connection: object, item: T): void {
    const items = this.#items.get(connection);
    if (items === undefined) this.#items.set(connection, [item]);
    else items.push(item);
  }

  shift(): T | undefined {
    for (const [connection, items] of this.#items) {
      const first = items.shift();
      this.#items.delete(connection);
      // The connection moves to the end.
      if (items.length > 0) this.#items.set(connection, items);
      return first;
    }
    return undefined;
  }

  /** Removes the waiting items of a connection to which `isGone` applies; by default all. */
  remove(connection: object, isGone: (item: T) => boolean = () => true): void {
    const items = this.#items.get(connection);
    if (items === undefined) return;
    const left = items.filter((item) => !isGone(item));
    if (left.length > 0) this.#items.set(connection, left);
    else this.#items.delete(connection);
  }
}
