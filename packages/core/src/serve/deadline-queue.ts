/**
 * Queue of a stage: earliest deadline first; at equal deadlines first come, first served (Liu and Layland 1973). Counts
 * the queued items of each request.
 */
import { ClientShares } from './client-shares.js';
import { OrderedItems } from './ordered-items.js';
import type { StageItem } from './request-state.js';

/** Ordered by (deadline, sequence). */
export class DeadlineQueue<Payload, Context> {
  readonly #items = new OrderedItems<StageItem<Payload, Context>>();
  /** Kept from the first question about clients until the queue is empty. So it costs nothing without overload. */
  #shares: ClientShares<Payload, Context> | undefined;
  /** Kept here, because it is asked for several times per item. */
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Number of items with a deadline of at most `deadlineAtMs`. */
  countUntil(deadlineAtMs: number): number {
    return this.#items.countUntil(deadlineAtMs);
  }

  peek(): StageItem<Payload, Context> | undefined {
    return this.#items.first();
  }

  /** Arrival of the oldest item in ms; Infinity if empty. O(items). */
  waitingSinceMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const { enqueuedAtMs } of this.#items) sinceMs = Math.min(sinceMs, enqueuedAtMs);
    return sinceMs;
  }

  /** Items of the client with the most items; undefined if it has not clearly more than `client`. */
  heavierThan(client: object): ReturnType<ClientShares<Payload, Context>['heavierThan']> {
    this.#shares ??= new ClientShares(this.#items);
    return this.#shares.heavierThan(client);
  }

  push(item: StageItem<Payload, Context>): void {
    item.request.queuedItems += 1;
    this.#length += 1;
    this.#items.push(item);
    this.#shares?.add(item);
  }

  pop(): StageItem<Payload, Context> | undefined {
    const item = this.#items.shift();
    if (item !== undefined) this.#left(item);
    return item;
  }

  /** Moves the first `count` items to a batch. Requires at least `count`. */
  popInto(batch: StageItem<Payload, Context>[], count: number): void {
    for (let i = 0; i < count; i++) {
      const item = this.#items.shift() as StageItem<Payload, Context>;
      this.#left(item);
      batch[batch.length] = item;
    }
  }

  /** Removes the last item, if its deadline is after `deadlineAtMs`. */
  popLast(deadlineAtMs = Number.NEGATIVE_INFINITY): StageItem<Payload, Context> | undefined {
    const last = this.#items.lastUntil(Number.POSITIVE_INFINITY);
    if (last === undefined || last.deadlineAtMs <= deadlineAtMs) return undefined;
    this.remove(last);
    return last;
  }

  /** Requires an item of this queue. */
  remove(item: StageItem<Payload, Context>): void {
    this.#items.remove(item);
    this.#left(item);
  }

  /** Removes items, in one pass. */
  discard(isGone: (item: StageItem<Payload, Context>) => boolean): void {
    this.#items.retain((item) => {
      if (!isGone(item)) return true;
      this.#left(item);
      return false;
    });
  }

  #left(item: StageItem<Payload, Context>): void {
    item.request.queuedItems -= 1;
    this.#length -= 1;
    this.#shares?.remove(item);
    if (this.#length === 0) this.#shares = undefined;
  }
}
