import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import { testPipeline, testStage } from '../../optimize/planning.test-support.js';
import { requireCurves } from '../../profile/service-curves.js';
import type { PolicyInput, PolicyObservation, StageMetrics } from './observing-policy.js';

/**
 * Two stages on one core each, without variation. detect: small 20 ms, large 100 ms per item; classify: small 10 ms,
 * large 50 ms. SLO: 1 s, so half of a stage's share is 250 ms.
 */
export const twoStages: PipelineSpec = {
  ...testPipeline([
    testStage('detect', [
      { name: 'small', accuracy: 0.6, fixedMs: 0, perItemMs: 20, tail: 1 },
      { name: 'large', accuracy: 0.8, fixedMs: 0, perItemMs: 100, tail: 1 },
    ]),
    testStage('classify', [
      { name: 'small', accuracy: 0.7, fixedMs: 0, perItemMs: 10, tail: 1 },
      { name: 'large', accuracy: 0.9, fixedMs: 0, perItemMs: 50, tail: 1 },
    ]),
  ]),
  slo: { latencyMs: 1000, percentile: 99 },
  budget: { cpuCores: 12 },
};

export function inputOf(more: Partial<PolicyInput> = {}): PolicyInput {
  const { spec = twoStages } = more;
  return { spec, curves: requireCurves(spec, []), sampleArrivalsPerSecond: [], attainment: () => 1, ...more };
}

const idle: StageMetrics = { queueLength: 0, inFlightItems: 0, busyFraction: 0, readyReplicas: 1, liveReplicas: 1 };

/** Observation in which both stages have the same metrics. */
export function observed(
  atMs: number,
  metrics: Partial<StageMetrics>,
  counts: readonly number[] = [],
): PolicyObservation {
  const both = { ...idle, ...metrics };
  return { atMs, arrivalsPerSecond: counts, stages: { detect: both, classify: both } as PolicyObservation['stages'] };
}

/** `variant b=batch cores×replicas` of each stage. */
export const shape = (stages: Plan['stages'] | undefined): readonly string[] =>
  Object.values(stages ?? {}).map(
    ([s]) => `${s?.variantId} b${s?.maxBatchSize} ${s?.resources.cpuCores}x${s?.replicas}`,
  );

export const replicas = (stages: Plan['stages'] | undefined): readonly (number | undefined)[] =>
  Object.values(stages ?? {}).map(([s]) => s?.replicas);
