/**
 * Pending simulation events, ordered by time, rank and insertion, so that runs are reproducible. A 4-ary heap on typed
 * arrays is several times as fast as a binary heap of closures.
 */

/** A number holds rank and insertion count, exact up to 2^53. */
const RANK = 2 ** 49;

export class EventHeap {
  #atMs = new Float64Array(64);
  #sequence = new Float64Array(64);
  #event = new Int32Array(64);
  #size = 0;
  #pushed = 0;

  get size(): number {
    return this.#size;
  }

  /** Infinity when empty. */
  get nextAtMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#atMs[0] as number);
  }

  /** True if an event at `atMs`, as the last of its rank, comes before all in the heap. False at Infinity. */
  isBefore(atMs: number, rank: number): boolean {
    if (this.#size === 0) return atMs < Number.POSITIVE_INFINITY;
    const firstAtMs = this.#atMs[0] as number;
    if (atMs !== firstAtMs) return atMs < firstAtMs;
    return atMs < Number.POSITIVE_INFINITY && (this.#sequence[0] as number) >= (rank + 1) * RANK;
  }

  /** `rank` (0…15) orders events at the same instant. */
  push(atMs: number, event: number, rank = 0): void {
    if (this.#size === this.#atMs.length) this.#grow();
    const keys = this.#atMs;
    const order = this.#sequence;
    const events = this.#event;
    const sequence = rank * RANK + this.#pushed++;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentAtMs = keys[parent] as number;
      if (parentAtMs < atMs || (parentAtMs === atMs && (order[parent] as number) < sequence)) break;
      keys[hole] = parentAtMs;
      order[hole] = order[parent] as number;
      events[hole] = events[parent] as number;
      hole = parent;
    }
    keys[hole] = atMs;
    order[hole] = sequence;
    events[hole] = event;
  }

  /** Requires `size` > 0. */
  pop(): number {
    const event = this.#event[0] as number;
    this.#size -= 1;
    this.#sinkLast();
    return event;
  }

  /** Sifts the last entry down from the root. */
  #sinkLast(): void {
    const keys = this.#atMs;
    const order = this.#sequence;
    const events = this.#event;
    const last = this.#size;
    const atMs = keys[last] as number;
    const sequence = order[last] as number;
    let hole = 0;
    for (;;) {
      let first = last;
      let firstAtMs = atMs;
      let firstSequence = sequence;
      const end = Math.min(4 * hole + 5, last);
      for (let child = 4 * hole + 1; child < end; child++) {
        const childAtMs = keys[child] as number;
        if (childAtMs > firstAtMs) continue;
        const childSequence = order[child] as number;
        if (childAtMs === firstAtMs && childSequence > firstSequence) continue;
        first = child;
        firstAtMs = childAtMs;
        firstSequence = childSequence;
      }
      keys[hole] = firstAtMs;
      order[hole] = firstSequence;
      events[hole] = events[first] as number;
      if (first === last) return;
      hole = first;
    }
  }

  #grow(): void {
    const grown = <T extends Float64Array | Int32Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    const capacity = this.#atMs.length * 2;
    this.#atMs = grown(this.#atMs, new Float64Array(capacity));
    this.#sequence = grown(this.#sequence, new Float64Array(capacity));
    this.#event = grown(this.#event, new Int32Array(capacity));
  }
}
