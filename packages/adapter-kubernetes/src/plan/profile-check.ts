/**
 * Compares the service times that routers measure with the profile. Measured times correct the profile of the planner
 * (core/control/feedback); beyond a factor of 2 they are an issue of the pipeline. A router's times include the network
 * and the quota of the pod.
 */
import type { BatchTimes, PipelineSpec, Plan, StageId } from '@equipoise/core/model';
import { requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { VariantBatches } from '../observe/router-page.js';
import type { ControlIssue } from '../reconcile/reconciliation.js';

/** A mean counts as at most this many batches, so that corrections follow within some ticks. */
const MOST_COUNTED = 20;
const FEWEST_BATCHES = 20;
const FACTOR = 2;
/** An issue stays until the factor is clearly smaller. */
const LEAVING_FACTOR = 1.8;
/** Smaller differences, as a fraction of the SLO, do not matter. */
const LEAST_DIFFERENCE = 0.01;

/** Batches of the running plan as observed times, for the planner. */
export function observedBatches(batches: readonly VariantBatches[], runs: Plan | undefined): readonly BatchTimes[] {
  return batches.flatMap(({ stage, variant, count, items, serviceS }) => {
    const planned = (runs?.stages[stage as StageId] ?? []).find(({ variantId }) => variantId === variant);
    if (planned === undefined) return [];
    const meanMs = (1000 * serviceS) / count;
    return [
      {
        stageId: stage as StageId,
        variantId: planned.variantId,
        cpuCores: planned.resources.cpuCores,
        batchSize: Math.max(1, Math.round(items / count)),
        serviceMs: Array.from({ length: Math.min(Math.ceil(count), MOST_COUNTED) }, () => meanMs),
        areMeans: true,
      },
    ];
  });
}

export interface ProfileCheckInput {
  readonly spec: PipelineSpec;
  readonly runs: Plan | undefined;
  /** Batches of the last minute. */
  readonly batches: readonly VariantBatches[];
  /** True if the issue is present already. */
  readonly isOff: boolean;
}

/** Issue `ProfileOff`; undefined if the measured times are as profiled, or too few. */
export function profileIssue({ spec, runs, batches, isOff }: ProfileCheckInput): ControlIssue | undefined {
  const curves = curvesOf(spec);
  if (curves === undefined) return undefined;
  const limit = isOff ? LEAVING_FACTOR : FACTOR;
  const texts = batches
    .filter(({ count }) => count >= FEWEST_BATCHES)
    .flatMap((each) => {
      const [observed] = observedBatches([each], runs);
      const [measuredMs] = observed?.serviceMs ?? [];
      if (observed === undefined || measuredMs === undefined) return [];
      const { stageId, variantId, cpuCores, batchSize } = observed;
      const profiledMs = curves.curve(stageId, variantId, cpuCores)?.meanMs(batchSize);
      if (profiledMs === undefined) return [];
      const factor = measuredMs / profiledMs;
      const isSmall = Math.abs(measuredMs - profiledMs) < LEAST_DIFFERENCE * spec.slo.latencyMs;
      if (isSmall || (factor <= limit && factor >= 1 / limit)) return [];
      return [
        `${stageId}/${variantId}: batches take ${figure(measuredMs)} ms, ${figure(factor)} times the ${figure(profiledMs)} ms of the profile (${cpuCores} cores, batches of ${batchSize})`,
      ];
    });
  if (texts.length === 0) return undefined;
  const advice = 'The plans are corrected by the measured times. Profile in a pod with the limits of a replica.';
  return { reason: 'ProfileOff', message: `${texts.join('; ')}. ${advice}` };
}

function curvesOf(spec: PipelineSpec): ServiceCurves | undefined {
  try {
    return requireCurves(spec, []);
  } catch {
    return undefined;
  }
}

const figure = (value: number): string => String(Number(value.toPrecision(2)));
