/** Service times as they were measured while serving. */
import type { StageId, VariantId } from './ids.js';

/** Batches of one kind that ended since the last tick, or some of them. */
export interface BatchTimes {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly serviceMs: readonly number[];
}
