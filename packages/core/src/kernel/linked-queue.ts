/** Links of an entry, which is in one queue at a time. */
export interface Linked<Entry> {
  before?: Entry | undefined;
  after?: Entry | undefined;
}

/** Queue whose entries can leave from any place, each in constant time. */
export class LinkedQueue<Entry extends Linked<Entry>> {
  #first: Entry | undefined;
  #last: Entry | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Entry | undefined {
    return this.#first;
  }

  push(entry: Entry): void {
    entry.before = this.#last;
    entry.after = undefined;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.after = entry;
    this.#last = entry;
    this.#size += 1;
  }

  /** Requires an entry of this queue. */
  remove(entry: Entry): void {
    const { before, after } = entry;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    entry.before = undefined;
    entry.after = undefined;
    this.#size -= 1;
  }
}
