/**
 * Items of requests that are like culprits (`Culprits`). Each runs alone, after all other items, and together they take
 * at most half of the replicas. A replica that they lost counts as theirs until it is replaced.
 */
import { DeadlineQueue } from './deadline-queue.js';
import type { StageItem } from './request-state.js';

/** Their senders are patient, and their inputs take memory. */
const MOST_WAITING = 32;
/** Time after which a lost replica is no longer awaited: the plan may have changed. */
const AWAITED_MS = 60_000;
/** After they have ended an only replica, other items have it alone for this time. */
const ONLY_REPLICA_MS = 10_000;

export class IsolatedItems<Payload, Context> {
  readonly #queue = new DeadlineQueue<Payload, Context>();
  #running = 0;
  /** Replicas that these items lost, and that are not replaced. */
  #missing = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;

  get length(): number {
    return this.#queue.length;
  }

  peek(): StageItem<Payload, Context> | undefined {
    return this.#queue.peek();
  }

  pop(): StageItem<Payload, Context> | undefined {
    return this.#queue.pop();
  }

  /** Returns the item that finds no place: the one with the latest deadline. */
  push(item: StageItem<Payload, Context>, maxQueueLength: number): StageItem<Payload, Context> | undefined {
    const { length } = this;
    // All items of a request are needed for its answer.
    if (length < maxQueueLength && (length < MOST_WAITING || item.request.queuedItems > 0)) {
      this.#queue.push(item);
      return undefined;
    }
    const last = this.#queue.last(item.deadlineAtMs);
    if (last === undefined) return item;
    this.#queue.remove(last);
    this.#queue.push(item);
    return last;
  }

  /** Takes an item again, beyond the bound. */
  takeBack(item: StageItem<Payload, Context>): void {
    this.#queue.push(item);
  }

  discard(isGone: (item: StageItem<Payload, Context>) => boolean): void {
    this.#queue.discard(isGone);
  }

  /** Time (ms) at which the next one may start; Infinity if something must end first. `suspects`: those that run. */
  nextStartMs(replicas: number, suspects: number, nowMs: number): number {
    const missing = nowMs - this.#lostAtMs < AWAITED_MS ? this.#missing : 0;
    const all = replicas + missing;
    if (all <= 1) return replicas === 1 ? Math.max(nowMs, this.#lostAtMs + ONLY_REPLICA_MS) : Number.POSITIVE_INFINITY;
    if (this.#running + missing + suspects < Math.floor(all / 2)) return nowMs;
    return missing > 0 ? this.#lostAtMs + AWAITED_MS : Number.POSITIVE_INFINITY;
  }

  started(): void {
    this.#running += 1;
  }

  ended(): void {
    this.#running -= 1;
  }

  /** The replica of a running one is lost. */
  lostReplica(nowMs: number): void {
    if (nowMs - this.#lostAtMs >= AWAITED_MS) this.#missing = 0;
    this.#missing += 1;
    this.#lostAtMs = nowMs;
  }

  /** A replica has come. */
  gotReplica(): void {
    if (this.#missing > 0) this.#missing -= 1;
  }
}
