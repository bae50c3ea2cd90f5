/**
 * Decides when a stage dispatches and which items it drops. Batching is greedy: a free replica takes all queued items,
 * up to the maximum batch size. It waits for more items only within `maxBatchWaitMs`. An item is dropped early if even
 * an immediate start would miss its deadline: now + expected service time + minimum time after this stage.
 */
import type { DropReason } from '../model/request-outcome.js';

export interface BatchPolicy {
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  /** Expected service time in ms by batch size; index 0 is unused. Default 0. */
  readonly expectedServiceMs?: readonly number[];
  /** Time in ms after which a batch counts as hung, by batch size; index 0 is unused. Default: never. */
  readonly hungAfterMs?: readonly number[];
  /** Maximum of that time on a busy machine. Default: none. */
  readonly hungAtMostMs?: readonly number[];
  /** Minimum time in ms that a request needs after this stage. */
  readonly remainingMs: number;
  /** Part of an item's slack that it may wait in a standing queue; the rest is for later stages. Default 1. */
  readonly waitShare?: number;
  /** True if the plan omits the stage (see `OmissionsInForce`). */
  readonly isOmitted?: boolean;
  /** Threshold of the conditions on the stage's answers, for new requests. */
  readonly threshold?: number;
  /** Quorum of the join whose choice the stage carries, for new requests. */
  readonly quorum?: number;
}

/** Reason to drop an item that would start now and needs `leastMs`; undefined if it is in time. */
export function lateReason(deadlineAtMs: number, nowMs: number, leastMs: number): DropReason | undefined {
  if (nowMs >= deadlineAtMs) return 'deadline-passed';
  return nowMs + leastMs > deadlineAtMs ? 'deadline-unreachable' : undefined;
}

/**
 * Time until which a free replica waits for more items. The wait begins with the oldest arrival, so an item that
 * overtakes others does not restart it. It ends once all items that were sent together are there.
 */
export function companionsUntilMs(policy: BatchPolicy, queued: QueuedItems): number {
  if (queued.length >= Math.min(policy.maxBatchSize, queued.sentTogether)) return Number.NEGATIVE_INFINITY;
  return queued.waitingSinceMs + policy.maxBatchWaitMs;
}

export interface QueuedItems {
  readonly length: number;
  readonly waitingSinceMs: number;
  /** Number of items sent together with the next item; Infinity if unknown. */
  readonly sentTogether: number;
}

export function serviceMs(policy: BatchPolicy, batchSize: number): number {
  return policy.expectedServiceMs?.[batchSize] ?? 0;
}
