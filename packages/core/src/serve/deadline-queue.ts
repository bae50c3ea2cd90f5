/**
 * The central queue of a stage: earliest deadline first, first come first served among equal deadlines
 * (Liu and Layland 1973 for the order). A binary heap of live items: those of a request that ends are taken out at once, so that the
 * length is that of real work.
 */
import type { RequestState, StageItem } from './request-state.js';

/** A queue of items ordered by (deadline, sequence). */
export class DeadlineQueue<Payload, Context> {
  #heap: StageItem<Payload, Context>[] = [];

  /** Items inside. */
  get length(): number {
    return this.#heap.length;
  }

  /** The item that goes next. */
  peek(): StageItem<Payload, Context> | undefined {
    return this.#heap[0];
  }

  push(item: StageItem<Payload, Context>): void {
    item.request.queuedItems += 1;
    this.#place(item);
  }

  #place(item: StageItem<Payload, Context>): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(item);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above] as StageItem<Payload, Context>;
      if (!goesBefore(item, parent)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = item;
  }

  pop(): StageItem<Payload, Context> | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first !== undefined) first.request.queuedItems -= 1;
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first;
  }

  /** Takes all items of a request out. */
  discard(request: RequestState<Payload, Context>): void {
    const kept = this.#heap.filter((item) => item.request !== request);
    request.queuedItems -= this.#heap.length - kept.length;
    this.#heap = [];
    for (const item of kept) this.#place(item);
  }

  #sink(item: StageItem<Payload, Context>): void {
    const heap = this.#heap;
    const size = heap.length;
    let hole = 0;
    for (;;) {
      let below = 2 * hole + 1;
      if (below >= size) break;
      const right = below + 1;
      if (right < size && goesBefore(at(heap, right), at(heap, below))) below = right;
      const child = at(heap, below);
      if (!goesBefore(child, item)) break;
      heap[hole] = child;
      hole = below;
    }
    heap[hole] = item;
  }
}

type Heap<Payload, Context> = readonly StageItem<Payload, Context>[];

function at<Payload, Context>(heap: Heap<Payload, Context>, index: number): StageItem<Payload, Context> {
  return heap[index] as StageItem<Payload, Context>;
}

function goesBefore<Payload, Context>(a: StageItem<Payload, Context>, b: StageItem<Payload, Context>): boolean {
  return a.deadlineAtMs < b.deadlineAtMs || (a.deadlineAtMs === b.deadlineAtMs && a.sequence < b.sequence);
}
