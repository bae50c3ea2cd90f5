/**
 * Waiting items of a stage: one queue per priority, each with the earliest deadline first. The most urgent priority
 * goes first. Every waiting priority accumulates its share of the starts. Once it has accumulated a whole item, it goes
 * first. If only one priority waits, nothing accumulates.
 */
import { DeadlineQueue } from './deadline-queue.js';
import type { StageItem } from './request-state.js';

/** Tolerance of rounding in sums of shares. */
const ROUNDING = 1e-9;

/**
 * Rule by which items leave for a new one. The last one of the least urgent level below its level goes first. Then goes
 * the last one of its level, if its deadline is after `afterMs`. Then goes the last one of client batches of its level,
 * if more than `mostBatched` wait.
 */
export interface Displacement {
  readonly afterMs: number;
  readonly mostBatched: number;
}

/** Items by priority, then deadline, then arrival. */
export class PriorityQueue<Payload, Context> {
  #shares: readonly number[];
  readonly #levels: DeadlineQueue<Payload, Context>[];
  /** Accumulated items by level. */
  #owed: Float64Array;
  /** Bit i is set while level i has items. */
  #waiting = 0;
  #length = 0;

  /** `shares` by level, most urgent first (see `PrioritySpec`); at most 31 levels. */
  constructor(shares: readonly number[]) {
    this.#shares = shares;
    this.#levels = shares.map(() => new DeadlineQueue<Payload, Context>());
    this.#owed = new Float64Array(shares.length);
  }

  /** Items at a level without a share go last. */
  setShares(shares: readonly number[]): void {
    while (this.#levels.length < shares.length) this.#levels.push(new DeadlineQueue<Payload, Context>());
    this.#shares = this.#levels.map((_, level) => shares[level] ?? 0);
    const owed = new Float64Array(this.#levels.length);
    owed.set(this.#owed);
    this.#owed = owed;
  }

  get length(): number {
    return this.#length;
  }

  /** Number of items of a more urgent level, and of those of this level that `DeadlineQueue.countAhead` counts. */
  countAhead(level: number, deadlineAtMs: number, isBatched = false): number {
    if (this.#length === 0) return 0;
    let count = this.#level(level).countAhead(deadlineAtMs, isBatched);
    for (let i = 0; i < level; i++) count += this.#level(i).length;
    return count;
  }

  /** Items at a level of the client with the most of them; undefined if it has not clearly more than `client`. */
  heavierThan(client: object, level: number): ReturnType<DeadlineQueue<Payload, Context>['heavierThan']> {
    return this.#level(level).heavierThan(client);
  }

  push(item: StageItem<Payload, Context>): void {
    const { level } = item.request;
    this.#level(level).push(item);
    this.#waiting |= 1 << level;
    this.#length += 1;
  }

  pop(): StageItem<Payload, Context> | undefined {
    const waiting = this.#waiting;
    if (waiting === 0) return undefined;
    const level = isSingle(waiting) ? lowestOf(waiting) : this.#nextLevel();
    const item = this.#level(level).popNext();
    this.#left(level);
    return item;
  }

  popInto(batch: StageItem<Payload, Context>[], count: number): void {
    let left = count;
    for (; left > 0 && !isSingle(this.#waiting); left--) batch.push(this.pop() as StageItem<Payload, Context>);
    if (left === 0) return;
    const level = lowestOf(this.#waiting);
    const queue = this.#level(level);
    queue.popInto(batch, left);
    this.#length -= left;
    if (queue.length === 0) this.#emptied(level);
  }

  /** The item with the earliest deadline, so the first one to be late. */
  earliest(): StageItem<Payload, Context> | undefined {
    const waiting = this.#waiting;
    if (waiting === 0) return undefined;
    return this.#level(isSingle(waiting) ? lowestOf(waiting) : this.#earliestLevel()).peek();
  }

  popEarliest(): StageItem<Payload, Context> | undefined {
    if (this.#waiting === 0) return undefined;
    const level = this.#earliestLevel();
    const item = this.#level(level).pop();
    this.#left(level);
    return item;
  }

  /** Removes the item that leaves first for a new one (`Displacement`); undefined if none does. */
  popDisplaced(level: number, { afterMs, mostBatched }: Displacement): StageItem<Payload, Context> | undefined {
    const last = 31 - Math.clz32(this.#waiting);
    const queue = this.#level(level);
    const item =
      last > level
        ? this.#level(last).last()
        : (queue.last(afterMs) ?? (queue.batchedLength > mostBatched ? queue.lastBatched() : undefined));
    if (item !== undefined) this.remove(item);
    return item;
  }

  /** Requires an item of this queue. */
  remove(item: StageItem<Payload, Context>): void {
    const { level } = item.request;
    this.#level(level).remove(item);
    this.#left(level);
  }

  waitingSinceMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const queue of this.#levels) sinceMs = Math.min(sinceMs, queue.waitingSinceMs());
    return sinceMs;
  }

  /** Removes items of a level. */
  discard(level: number, isGone: (item: StageItem<Payload, Context>) => boolean): void {
    const queue = this.#level(level);
    const before = queue.length;
    queue.discard(isGone);
    this.#length -= before - queue.length;
    if (queue.length === 0) this.#emptied(level);
  }

  #left(level: number): void {
    this.#length -= 1;
    if (this.#level(level).length === 0) this.#emptied(level);
  }

  /** Resets what the level has accumulated. */
  #emptied(level: number): void {
    this.#waiting &= ~(1 << level);
    this.#owed[level] = 0;
  }

  /** Next level: the one with the most accumulated items, if at least one, else the most urgent. Charges its start. */
  #nextLevel(): number {
    const owed = this.#owed;
    let next = -1;
    let most = 1 - ROUNDING;
    for (let level = 0; level < owed.length; level++) {
      if ((this.#waiting & (1 << level)) === 0) continue;
      const due = (owed[level] as number) + (this.#shares[level] as number);
      owed[level] = due;
      if (due >= most) {
        next = level;
        most = due + ROUNDING;
      }
    }
    if (next < 0) next = lowestOf(this.#waiting);
    owed[next] = Math.max(0, (owed[next] as number) - 1);
    return next;
  }

  #earliestLevel(): number {
    let earliest = 0;
    let deadlineAtMs = Number.POSITIVE_INFINITY;
    for (let level = 0; level < this.#levels.length; level++) {
      const head = this.#level(level).peek();
      if (head === undefined || head.deadlineAtMs >= deadlineAtMs) continue;
      earliest = level;
      deadlineAtMs = head.deadlineAtMs;
    }
    return earliest;
  }

  #level(level: number): DeadlineQueue<Payload, Context> {
    return this.#levels[level] as DeadlineQueue<Payload, Context>;
  }
}

/** A set of levels has one bit per level. */
const isSingle = (levels: number): boolean => (levels & (levels - 1)) === 0;
const lowestOf = (levels: number): number => 31 - Math.clz32(levels & -levels);
