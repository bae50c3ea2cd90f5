/**
 * Pending events of a simulation, ordered by (time, rank, insertion): equal times come out by rank, equal ranks in the order they went
 * in, so a run repeats exactly. A heap with four children a node (fewer levels, and siblings share a cache line) on typed arrays: several
 * times the speed of a binary heap of closures.
 */

/** Ranks stand above the insertion count in one number, which stays exact up to 2^53. */
const RANK = 2 ** 49;

/** A priority queue of small integers keyed by an instant in ms. */
export class EventHeap {
  #atMs = new Float64Array(64);
  #sequence = new Float64Array(64);
  #event = new Int32Array(64);
  #size = 0;
  #pushed = 0;

  get size(): number {
    return this.#size;
  }

  /** Instant of the next event; Infinity when empty. */
  get nextAtMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#atMs[0] as number);
  }

  /** `rank` (0…15) orders events of the same instant. */
  push(atMs: number, event: number, rank = 0): void {
    if (this.#size === this.#atMs.length) this.#grow();
    const sequence = rank * RANK + this.#pushed++;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      if (this.#before(parent, atMs, sequence)) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#put(hole, { atMs, sequence, event });
  }

  /** Takes the next event out; call only while `size` > 0. */
  pop(): number {
    const event = this.#event[0] as number;
    const last = --this.#size;
    if (last > 0) this.#sink(last);
    return event;
  }

  /** Puts the entry at `last`, which is behind the end now, back in from the top. */
  #sink(last: number): void {
    const atMs = this.#atMs[last] as number;
    const sequence = this.#sequence[last] as number;
    let hole = 0;
    for (;;) {
      const first = 4 * hole + 1;
      if (first >= last) break;
      const child = this.#firstOf(first, Math.min(first + 4, last));
      if (!this.#before(child, atMs, sequence)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#put(hole, { atMs, sequence, event: this.#event[last] as number });
  }

  /** The entry that comes first of those from `from` to before `to`. */
  #firstOf(from: number, to: number): number {
    let first = from;
    for (let i = from + 1; i < to; i++) {
      if (this.#before(i, this.#atMs[first] as number, this.#sequence[first] as number)) first = i;
    }
    return first;
  }

  #before(index: number, atMs: number, sequence: number): boolean {
    const ownMs = this.#atMs[index] as number;
    return ownMs < atMs || (ownMs === atMs && (this.#sequence[index] as number) < sequence);
  }

  #move(from: number, to: number): void {
    this.#atMs[to] = this.#atMs[from] as number;
    this.#sequence[to] = this.#sequence[from] as number;
    this.#event[to] = this.#event[from] as number;
  }

  #put(index: number, entry: { readonly atMs: number; readonly sequence: number; readonly event: number }): void {
    this.#atMs[index] = entry.atMs;
    this.#sequence[index] = entry.sequence;
    this.#event[index] = entry.event;
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
