/**
 * Queue of a stage: earliest deadline first; at equal deadlines first come, first served (Liu and Layland 1973). Items
 * that arrive in deadline order form a sorted list, the others a binary heap.
 */
import { RingBuffer } from '../kernel/ring-buffer.js';
import type { StageItem } from './request-state.js';

/** Ordered by (deadline, sequence). */
export class DeadlineQueue<Payload, Context> {
  /** Ascending. */
  readonly #line = new RingBuffer<StageItem<Payload, Context>>();
  #heap: StageItem<Payload, Context>[] = [];

  get length(): number {
    return this.#line.length + this.#heap.length;
  }

  /** Number of items with a deadline of at most `deadlineAtMs`. O(items outside the list). */
  countUntil(deadlineAtMs: number): number {
    let count = this.#line.length;
    const last = this.#line.last();
    if (last !== undefined && last.deadlineAtMs > deadlineAtMs) count = this.#listedUntil(deadlineAtMs);
    for (const item of this.#heap) if (item.deadlineAtMs <= deadlineAtMs) count += 1;
    return count;
  }

  peek(): StageItem<Payload, Context> | undefined {
    return this.#heap.length > 0 && this.#heapGoesFirst() ? this.#heap[0] : this.#line.first();
  }

  /** Items in no order. */
  *[Symbol.iterator](): Generator<StageItem<Payload, Context>, undefined> {
    for (let i = 0; i < this.#line.length; i++) yield this.#line.at(i) as StageItem<Payload, Context>;
    yield* this.#heap;
  }

  /** Arrival of the oldest item in ms; Infinity if empty. O(items). */
  waitingSinceMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#line.length; i++) sinceMs = Math.min(sinceMs, this.#line.at(i)?.enqueuedAtMs ?? sinceMs);
    for (const { enqueuedAtMs } of this.#heap) sinceMs = Math.min(sinceMs, enqueuedAtMs);
    return sinceMs;
  }

  push(item: StageItem<Payload, Context>): void {
    item.request.queuedItems += 1;
    const last = this.#line.last();
    if (last === undefined || !goesBefore(item, last)) this.#line.push(item);
    else this.#pushHeap(item);
  }

  pop(): StageItem<Payload, Context> | undefined {
    const item = this.#popFirst();
    if (item !== undefined) item.request.queuedItems -= 1;
    return item;
  }

  /** Moves the first `count` items to a batch. Requires at least `count`. */
  popInto(batch: StageItem<Payload, Context>[], count: number): void {
    for (let i = 0; i < count; i++) {
      const item = (this.#heap.length === 0 ? this.#line.shift() : this.#popFirst()) as StageItem<Payload, Context>;
      item.request.queuedItems -= 1;
      batch[batch.length] = item;
    }
  }

  /** Removes the last item, if its deadline is after `deadlineAtMs`. O(items outside the list). */
  popLast(deadlineAtMs = Number.NEGATIVE_INFINITY): StageItem<Payload, Context> | undefined {
    let last = this.#line.last();
    for (const item of this.#heap) if (last === undefined || goesBefore(last, item)) last = item;
    if (last === undefined || last.deadlineAtMs <= deadlineAtMs) return undefined;
    this.#takeOut(last);
    last.request.queuedItems -= 1;
    return last;
  }

  /** Removes items, in one pass. */
  discard(isGone: (item: StageItem<Payload, Context>) => boolean): void {
    const stays = (item: StageItem<Payload, Context>): boolean => {
      if (!isGone(item)) return true;
      item.request.queuedItems -= 1;
      return false;
    };
    const aside = this.#heap;
    this.#line.retain(stays);
    this.#heap = [];
    for (const item of aside) if (stays(item)) this.#pushHeap(item);
  }

  #popFirst(): StageItem<Payload, Context> | undefined {
    return this.#heap.length > 0 && this.#heapGoesFirst() ? this.#popHeap() : this.#line.shift();
  }

  /** Number of items of the list that `countUntil` counts. */
  #listedUntil(deadlineAtMs: number): number {
    let low = 0;
    let high = this.#line.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#line.at(middle) as StageItem<Payload, Context>).deadlineAtMs <= deadlineAtMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #takeOut(item: StageItem<Payload, Context>): void {
    if (this.#line.last() === item) {
      this.#line.pop();
      return;
    }
    const others = this.#heap.filter((other) => other !== item);
    this.#heap = [];
    for (const other of others) this.#pushHeap(other);
  }

  /** Requires a heap with items. */
  #heapGoesFirst(): boolean {
    const first = this.#line.first();
    return first === undefined || goesBefore(at(this.#heap, 0), first);
  }

  #pushHeap(item: StageItem<Payload, Context>): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(item);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = at(heap, above);
      if (!goesBefore(item, parent)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = item;
  }

  #popHeap(): StageItem<Payload, Context> | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first;
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

type Items<Payload, Context> = readonly StageItem<Payload, Context>[];

function at<Payload, Context>(items: Items<Payload, Context>, index: number): StageItem<Payload, Context> {
  return items[index] as StageItem<Payload, Context>;
}

function goesBefore<Payload, Context>(a: StageItem<Payload, Context>, b: StageItem<Payload, Context>): boolean {
  return a.deadlineAtMs < b.deadlineAtMs || (a.deadlineAtMs === b.deadlineAtMs && a.sequence < b.sequence);
}
