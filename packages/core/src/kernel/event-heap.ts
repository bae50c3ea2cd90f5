/**
 * Pending events of a simulation, ordered by (time, insertion): equal times come out in the order they went in, so a run repeats
 * exactly. Typed arrays instead of objects: several times the speed of a heap of closures.
 */

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

  push(atMs: number, event: number): void {
    if (this.#size === this.#atMs.length) this.#grow();
    const sequence = this.#pushed++;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if ((this.#atMs[parent] as number) <= atMs) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#put(hole, atMs, sequence, event);
  }

  /** Takes the next event out; call only while `size` > 0. */
  pop(): number {
    const event = this.#event[0] as number;
    const last = --this.#size;
    if (last > 0) this.#sink(this.#atMs[last] as number, this.#sequence[last] as number, this.#event[last] as number);
    return event;
  }

  #sink(atMs: number, sequence: number, event: number): void {
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (right < this.#size && this.#before(right, this.#atMs[child] as number, this.#sequence[child] as number)) {
        child = right;
      }
      if (!this.#before(child, atMs, sequence)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#put(hole, atMs, sequence, event);
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

  #put(index: number, atMs: number, sequence: number, event: number): void {
    this.#atMs[index] = atMs;
    this.#sequence[index] = sequence;
    this.#event[index] = event;
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
