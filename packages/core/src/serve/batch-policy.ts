/**
 * When a stage dispatches and which items are given up. Batching is greedy: a free replica takes what is queued, up to the
 * max batch size, and waits for companions only while `maxBatchWaitMs` allows. An item is dropped alone, and early, when even
 * an immediate start would miss its deadline: now + expected service of the batch + expected time behind this stage.
 */
import type { DropReason } from '../model/request-outcome.js';

/** The batching of a stage and what is expected of the time from here to the end. */
export interface BatchPolicy {
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  /** Expected service time in ms by batch size; index 0 is unused. Left out: nothing is known, only passed deadlines drop. */
  readonly expectedServiceMs?: readonly number[];
  /** Least time in ms that a request needs behind this stage. */
  readonly remainingMs: number;
}

/** Why an item that would start now in a batch of `batchSize` is given up, or undefined if it can make its deadline. */
export function lateReason(
  policy: BatchPolicy,
  item: { readonly deadlineAtMs: number },
  at: { readonly nowMs: number; readonly batchSize: number },
): DropReason | undefined {
  if (at.nowMs >= item.deadlineAtMs) return 'deadline-passed';
  const leastMs = serviceMs(policy, at.batchSize) + policy.remainingMs;
  return at.nowMs + leastMs > item.deadlineAtMs ? 'deadline-unreachable' : undefined;
}

/** The last instant at which an item could start alone and still make its deadline. */
export function latestStartAtMs(policy: BatchPolicy, deadlineAtMs: number): number {
  return deadlineAtMs - serviceMs(policy, 1) - policy.remainingMs;
}

/**
 * The instant until which a free replica waits for companions: the past when it should take what is there. The wait counts from the
 * arrival of the item that has waited longest, so that nothing is held back anew for an item that overtakes it.
 */
export function companionsUntilMs(policy: BatchPolicy, queued: QueuedItems): number {
  if (queued.length >= policy.maxBatchSize) return Number.NEGATIVE_INFINITY;
  return queued.waitingSinceMs + policy.maxBatchWaitMs;
}

/** What waits at a stage while a replica is free. */
export interface QueuedItems {
  readonly length: number;
  readonly waitingSinceMs: number;
}

/**
 * Expected time in ms until an item starts behind `itemsAhead` others, when `replicas` are all busy, each in the middle of a batch on
 * average; 0 when nothing is known.
 */
export function expectedWaitMs(policy: BatchPolicy, itemsAhead: number, replicas: number): number {
  const { maxBatchSize } = policy;
  return replicas === 0 ? 0 : (serviceMs(policy, maxBatchSize) * (itemsAhead / maxBatchSize + 0.5)) / replicas;
}

/** Expected service time in ms of a batch; 0 when nothing is known. */
export function serviceMs(policy: BatchPolicy, batchSize: number): number {
  return policy.expectedServiceMs?.[batchSize] ?? 0;
}
