/**
 * Rules for items of a batch that ended badly. Stages that are not `idempotent` run no item again. An item runs again
 * at most once with others and once alone, and only if it can still be in time. Items that no replica got have not run.
 */

/**
 * `lost`: the replica is gone. `lost-again`: so is another replica of the stage, a short time ago, so an input may be the
 * cause. `unsent`: the replica is gone, and did not get the batch. `hung`: the batch did not end. `failed`: all items
 * failed, and an input may be the cause. `unavailable`: no input is the cause, or only some items failed.
 */
export type BatchFault = 'lost' | 'lost-again' | 'unsent' | 'hung' | 'failed' | 'unavailable';

export type Rerun = 'together' | 'alone' | 'never';

/** By lane, for an item's first run and for a later one. In a canary, the new variant may be the cause. */
const RERUNS: Readonly<Record<BatchFault, Readonly<Record<'main' | 'canary', readonly [Rerun, Rerun]>>>> = {
  lost: { main: ['together', 'alone'], canary: ['together', 'never'] },
  'lost-again': { main: ['alone', 'alone'], canary: ['together', 'never'] },
  unsent: { main: ['together', 'together'], canary: ['together', 'never'] },
  hung: { main: ['alone', 'never'], canary: ['alone', 'never'] },
  failed: { main: ['alone', 'alone'], canary: ['together', 'never'] },
  unavailable: { main: ['never', 'never'], canary: ['together', 'never'] },
};

interface RanItem {
  readonly isRetry: boolean;
  readonly inCanary: boolean;
}

/** `isSuspect`: the input may run alone only. `isIsolated`: it ran as one of a request that is like culprits. */
interface RanBatch {
  readonly batchSize: number;
  readonly isSuspect: boolean;
  readonly isIsolated: boolean;
}

/** Way in which an item of a batch of `batchSize` runs again; a suspect never with others. */
export function rerunAfter(fault: BatchFault, item: RanItem, batch: RanBatch): Rerun {
  const rerun = RERUNS[fault][item.inCanary ? 'canary' : 'main'][item.isRetry ? 1 : 0];
  if (rerun === 'together') return batch.isSuspect ? 'alone' : rerun;
  return rerun === 'alone' && isCause(fault, item, batch) ? 'never' : rerun;
}

/** True if an item is the cause of a loss: it ran alone, and a replica was lost with it before or with items like it. */
export function isCulprit(fault: BatchFault, item: RanItem, batch: RanBatch): boolean {
  return (fault === 'lost' ? item.isRetry : fault === 'lost-again') && isCause(fault, item, batch);
}

/** An input that ran alone is the cause. If its hang was a proof, the input is quarantined and does not come here. */
function isCause(fault: BatchFault, { isRetry, inCanary }: RanItem, { batchSize, isIsolated }: RanBatch): boolean {
  // A single loss may have another cause than the input.
  const isFirstLoss = fault === 'lost-again' && !isRetry && !isIsolated;
  return batchSize === 1 && !inCanary && fault !== 'hung' && !isFirstLoss;
}
