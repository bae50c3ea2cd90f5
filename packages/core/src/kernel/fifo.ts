/** First in, first out. Constant time, at any length. */
export class Fifo<T> {
  /** Those before `#first` are gone. */
  #items: T[] = [];
  #first = 0;

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Requires an item. */
  shift(): T {
    const item = this.#items[this.#first++] as T;
    if (this.isEmpty) {
      this.#items.length = 0;
      this.#first = 0;
    } else if (this.#first >= CHUNK && 2 * this.#first >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}

/** Fewest items that are removed at once. */
const CHUNK = 1024;
