/**
 * Queue of a stage: earliest deadline first; at equal deadlines first come, first served (Liu and Layland 1973). But no
 * two items of client batches start in succession while single requests wait, so that a large batch keeps no others
 * waiting. Counts the queued items of each request.
 */
import { ClientShares } from './client-shares.js';
import { goesBefore, type OrderedItem } from './item-tree.js';
import { OrderedItems } from './ordered-items.js';
import type { StageItem } from './request-state.js';

/** Ordered by (deadline, sequence). */
export class DeadlineQueue<Payload, Context> {
  readonly #single = new OrderedItems<StageItem<Payload, Context>>();
  readonly #batched = new OrderedItems<StageItem<Payload, Context>>();
  /** True if the last item that `popNext` gave was of a batch. */
  #tookBatched = false;
  /** Kept from the first question about clients until the queue is empty. So it costs nothing without overload. */
  #shares: ClientShares<Payload, Context> | undefined;
  /** Kept here, because it is asked for several times per item. */
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get batchedLength(): number {
    return this.#batched.length;
  }

  /** Number of items with a deadline of at most `deadlineAtMs` that start before an item, which may be of a batch. */
  countAhead(deadlineAtMs: number, isBatched: boolean): number {
    const single = this.#single.countUntil(deadlineAtMs);
    if (this.#batched.length === 0) return single;
    const batched = this.#batched.countUntil(deadlineAtMs);
    return single + (isBatched ? batched : Math.min(batched, single + 1));
  }

  peek(): StageItem<Payload, Context> | undefined {
    return this.#earliestOf().first();
  }

  /** Arrival of the oldest item in ms; Infinity if empty. O(items). */
  waitingSinceMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const items of [this.#single, this.#batched])
      for (const { enqueuedAtMs } of items) sinceMs = Math.min(sinceMs, enqueuedAtMs);
    return sinceMs;
  }

  /** Items of the client with the most items; undefined if it has not clearly more than `client`. */
  heavierThan(client: object): ReturnType<ClientShares<Payload, Context>['heavierThan']> {
    this.#shares ??= new ClientShares(this.#single);
    return this.#shares.heavierThan(client);
  }

  push(item: StageItem<Payload, Context>): void {
    item.request.queuedItems += 1;
    this.#length += 1;
    this.#itemsOf(item).push(item);
    this.#shares?.add(item);
  }

  /** Removes the earliest item. */
  pop(): StageItem<Payload, Context> | undefined {
    return this.#popFrom(this.#earliestOf());
  }

  /** Removes the item that starts next. */
  popNext(): StageItem<Payload, Context> | undefined {
    let items = this.#earliestOf();
    if (items === this.#batched && this.#tookBatched && this.#single.length > 0) items = this.#single;
    this.#tookBatched = items === this.#batched;
    return this.#popFrom(items);
  }

  /** Moves the next `count` items to a batch. Requires at least `count`. */
  popInto(batch: StageItem<Payload, Context>[], count: number): void {
    for (let i = 0; i < count; i++) batch[batch.length] = this.popNext() as StageItem<Payload, Context>;
  }

  /** The last item, if its deadline is after `deadlineAtMs`. */
  last(deadlineAtMs = Number.NEGATIVE_INFINITY): StageItem<Payload, Context> | undefined {
    const last = latest(lastOf(this.#single), lastOf(this.#batched));
    return last === undefined || last.deadlineAtMs <= deadlineAtMs ? undefined : last;
  }

  /** The last item of client batches. */
  lastBatched(): StageItem<Payload, Context> | undefined {
    return lastOf(this.#batched);
  }

  /** Requires an item of this queue. */
  remove(item: StageItem<Payload, Context>): void {
    this.#itemsOf(item).remove(item);
    this.#left(item);
  }

  /** Removes items, in one pass. */
  discard(isGone: (item: StageItem<Payload, Context>) => boolean): void {
    for (const items of [this.#single, this.#batched]) {
      if (items.length === 0) continue;
      items.retain((item) => {
        if (!isGone(item)) return true;
        this.#left(item);
        return false;
      });
    }
  }

  #itemsOf({ request }: StageItem<Payload, Context>): OrderedItems<StageItem<Payload, Context>> {
    return request.isBatched ? this.#batched : this.#single;
  }

  #earliestOf(): OrderedItems<StageItem<Payload, Context>> {
    if (this.#batched.length === 0) return this.#single;
    const single = this.#single.first();
    const batched = this.#batched.first() as StageItem<Payload, Context>;
    return single === undefined || goesBefore(batched, single) ? this.#batched : this.#single;
  }

  #popFrom(items: OrderedItems<StageItem<Payload, Context>>): StageItem<Payload, Context> | undefined {
    const item = items.shift();
    if (item !== undefined) this.#left(item);
    return item;
  }

  #left(item: StageItem<Payload, Context>): void {
    item.request.queuedItems -= 1;
    this.#length -= 1;
    this.#shares?.remove(item);
    if (this.#length === 0) this.#shares = undefined;
  }
}

const lastOf = <Item extends OrderedItem>(items: OrderedItems<Item>): Item | undefined =>
  items.lastUntil(Number.POSITIVE_INFINITY);

function latest<Item extends OrderedItem>(a: Item | undefined, b: Item | undefined): Item | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return goesBefore(a, b) ? b : a;
}
