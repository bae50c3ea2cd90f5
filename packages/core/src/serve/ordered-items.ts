/**
 * Items by (deadline, sequence). Items that arrive in this order form a list, the others a tree. So the usual item costs
 * constant time, and no order of arrivals makes an operation take longer than amortized O(log n).
 */
import { RingBuffer } from '../kernel/ring-buffer.js';
import { goesBefore, ItemTree, type OrderedItem } from './item-tree.js';

export class OrderedItems<Item extends OrderedItem> {
  /** Ascending. */
  readonly #list = new RingBuffer<Item>();
  readonly #tree = new ItemTree<Item>();

  get length(): number {
    return this.#list.length + this.#tree.size;
  }

  first(): Item | undefined {
    return this.#treeGoesFirst() ? this.#tree.first() : this.#list.first();
  }

  /** Number of items with a deadline of at most `deadlineAtMs`. */
  countUntil(deadlineAtMs: number): number {
    return this.#listedUntil(deadlineAtMs) + this.#tree.countUntil(deadlineAtMs);
  }

  /** The last item with a deadline of at most `deadlineAtMs`. */
  lastUntil(deadlineAtMs: number): Item | undefined {
    const listed = this.#listedUntil(deadlineAtMs);
    const inList = listed === 0 ? undefined : this.#list.at(listed - 1);
    const inTree = this.#tree.lastUntil(deadlineAtMs);
    if (inList === undefined || inTree === undefined) return inList ?? inTree;
    return goesBefore(inList, inTree) ? inTree : inList;
  }

  /** Items in no order. */
  *[Symbol.iterator](): Generator<Item, undefined> {
    for (let i = 0; i < this.#list.length; i++) yield this.#list.at(i) as Item;
    yield* this.#tree.items();
  }

  push(item: Item): void {
    const last = this.#list.last();
    if (last === undefined || !goesBefore(item, last)) this.#list.push(item);
    else this.#tree.add(item);
  }

  shift(): Item | undefined {
    if (!this.#treeGoesFirst()) return this.#list.shift();
    const first = this.#tree.first();
    if (first !== undefined) this.#tree.remove(first);
    return first;
  }

  /** Requires an item of this object. Moves later items of the list to the tree, each at most once. */
  remove(item: Item): void {
    if (this.#list.first() === item) this.#list.shift();
    else if (!this.#tree.remove(item))
      for (let last = this.#list.pop(); last !== undefined && last !== item; last = this.#list.pop())
        this.#tree.add(last);
  }

  /** Removes all other items, in one pass. */
  retain(keep: (item: Item) => boolean): void {
    this.#list.retain(keep);
    for (const item of this.#tree.items()) if (!keep(item)) this.#tree.remove(item);
  }

  #treeGoesFirst(): boolean {
    if (this.#tree.size === 0) return false;
    const first = this.#list.first();
    return first === undefined || goesBefore(this.#tree.first() as Item, first);
  }

  /** Number of items of the list that `countUntil` counts. */
  #listedUntil(deadlineAtMs: number): number {
    const last = this.#list.last();
    if (last === undefined || last.deadlineAtMs <= deadlineAtMs) return this.#list.length;
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#list.at(middle) as Item).deadlineAtMs <= deadlineAtMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
