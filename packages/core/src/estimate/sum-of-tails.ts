/**
 * Latency formula of the literature (InferLine, SoCC 2020; IPA, JSys 2024), for comparison: p99 service time plus fill
 * time 1000·(b − 1) ÷ λ ms per stage, summed along the longest path. It ignores queueing, so it is wrong near
 * saturation.
 */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { topologicalOrder } from '../model/stage-order.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { lawQuantileMs } from '../profile/service-law.js';

/** A stage's term of the sum (ms); `arrivalRps` counts items. */
export function sumOfTailsStageMs(curve: ServiceCurve, maxBatchSize: number, arrivalRps: number): number {
  const fillMs = maxBatchSize === 1 ? 0 : (1000 * (maxBatchSize - 1)) / arrivalRps;
  return lawQuantileMs(curve.law(maxBatchSize), 0.99) + fillMs;
}

/** Replicas that full batches need, before bounds. */
export function sumOfTailsReplicas(curve: ServiceCurve, maxBatchSize: number, arrivalRps: number): number {
  const throughputRps = (1000 * curve.shareFraction * maxBatchSize) / curve.meanMs(maxBatchSize);
  return Math.max(1, Math.ceil(arrivalRps / throughputRps - 1e-9));
}

/** Largest sum (ms) along any path to an output. */
export function longestPathMs(spec: PipelineSpec, stageMs: ReadonlyMap<StageId, number>): number {
  const finish = new Map<StageId, number>();
  for (const id of topologicalOrder(spec)) {
    const before = spec.edges.filter((edge) => edge.to === id).map((edge) => finish.get(edge.from) ?? 0);
    finish.set(id, Math.max(0, ...before) + (stageMs.get(id) ?? 0));
  }
  return Math.max(0, ...spec.outputs.map((output) => finish.get(output.from) ?? 0));
}
