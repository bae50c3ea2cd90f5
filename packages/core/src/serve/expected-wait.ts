/** Expected wait in the queue of a stage, by which it refuses items that would wait too long. */
import { type BatchPolicy, serviceMs } from './batch-policy.js';

/** `waitsAtGate`: only the core gate prevents a start, so no replica counts as free. */
interface StageState {
  readonly waitsAtGate: boolean;
  readonly replicas: readonly {
    readonly busy: boolean;
    readonly serves: boolean;
    readonly batch: { readonly length: number };
  }[];
}

/**
 * Expected time in ms until an item behind `ahead` others starts; 0 if unknown. Free replicas start at once, busy ones
 * are halfway through their batches. Later batches are full, and the item is in the first with a free place.
 */
export function expectedWaitMs(policy: BatchPolicy, { replicas, waitsAtGate }: StageState, ahead: number): number {
  const { maxBatchSize } = policy;
  let free = 0;
  let runningMs = 0;
  for (const { busy, serves, batch } of replicas) {
    if (busy) runningMs += serviceMs(policy, batch.length);
    else if (serves && !waitsAtGate) free += 1;
  }
  const behind = ahead - free * maxBatchSize;
  if (replicas.length === 0 || (free > 0 && behind < 0)) return 0;
  const fullMs = serviceMs(policy, maxBatchSize);
  const runsOnMs = (runningMs / 2 + free * fullMs) / replicas.length;
  return (fullMs * Math.floor(behind / maxBatchSize) + runsOnMs) / replicas.length;
}
