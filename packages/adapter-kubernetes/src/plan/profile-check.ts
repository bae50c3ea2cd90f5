/**
 * Compares the service times that routers measure with the profile. Measured times correct the profile of the planner
 * (core/control/feedback); beyond a factor of 2 they are an issue of the pipeline. A router's times include the network
 * and the pauses of the pod's quota. Profile and plans are about the time on a whole core, so the pauses are taken out.
 */
import type { BatchTimes, PipelineSpec, Plan, StageId } from '@equipoise/core/model';
import { fullSpeedMs, requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { CountedBatches } from '../observe/batch-totals.js';
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

export interface MeasuredBatches {
  readonly spec: PipelineSpec;
  readonly counted: CountedBatches;
  /** Plan of one router, to which the batches belong. */
  readonly runs: Plan | undefined;
  readonly routers: number;
}

/** Batches of the running plan as observed times, for the planner. */
export function observedBatches(measured: MeasuredBatches): readonly BatchTimes[] {
  const curves = curvesOf(measured.spec);
  return measured.counted.batches.flatMap((each) => {
    const observed = observedTime(each, measured, curves);
    if (observed === undefined) return [];
    const { stageId, variantId, cpuCores, batchSize, fullSpeedMs: meanMs } = observed;
    const serviceMs = Array.from({ length: Math.min(Math.ceil(each.count), MOST_COUNTED) }, () => meanMs);
    return [{ stageId, variantId, cpuCores, batchSize, serviceMs, areMeans: true }];
  });
}

interface ObservedTime extends Pick<BatchTimes, 'stageId' | 'variantId' | 'cpuCores' | 'batchSize'> {
  readonly meanMs: number;
  /** On a whole core. */
  readonly fullSpeedMs: number;
  /** By the profile, on a whole core. */
  readonly profiledMs: number | undefined;
}

function observedTime(
  { stage, variant, count, items, serviceS }: VariantBatches,
  { runs, routers, counted }: MeasuredBatches,
  curves: ServiceCurves | undefined,
): ObservedTime | undefined {
  const stageId = stage as StageId;
  const planned = (runs?.stages[stageId] ?? []).find(({ variantId }) => variantId === variant);
  if (planned === undefined) return undefined;
  const { variantId, replicas } = planned;
  const { cpuCores } = planned.resources;
  const batchSize = Math.max(1, Math.round(items / count));
  const meanMs = (1000 * serviceS) / count;
  const curve = curves?.curve(stageId, variantId, cpuCores);
  const busyFraction = serviceS / (counted.seconds * routers * Math.max(1, replicas));
  return {
    ...{ stageId, variantId, cpuCores, batchSize, meanMs },
    fullSpeedMs: curve === undefined ? meanMs : fullSpeedMs(meanMs, busyFraction, curve),
    profiledMs: curve?.meanMs(batchSize),
  };
}

export interface ProfileCheckInput extends MeasuredBatches {
  /** True if the issue is present already. */
  readonly isOff: boolean;
}

/** Issue `ProfileOff`; undefined if the measured times are as profiled, or too few. */
export function profileIssue({ isOff, ...measured }: ProfileCheckInput): ControlIssue | undefined {
  const { spec, counted } = measured;
  const curves = curvesOf(spec);
  if (curves === undefined) return undefined;
  const limit = isOff ? LEAVING_FACTOR : FACTOR;
  const texts = counted.batches
    .filter(({ count }) => count >= FEWEST_BATCHES)
    .flatMap((each) => {
      const observed = observedTime(each, measured, curves);
      if (observed?.profiledMs === undefined) return [];
      const { stageId, variantId, cpuCores, batchSize, meanMs, fullSpeedMs: measuredMs, profiledMs } = observed;
      const factor = measuredMs / profiledMs;
      const isSmall = Math.abs(measuredMs - profiledMs) < LEAST_DIFFERENCE * spec.slo.latencyMs;
      if (isSmall || (factor <= limit && factor >= 1 / limit)) return [];
      const limited = measuredMs < meanMs ? `${figure(meanMs)} ms, without pauses of the CPU limit ` : '';
      return [
        `${stageId}/${variantId}: batches take ${limited}${figure(measuredMs)} ms, ${figure(factor)} times the ${figure(profiledMs)} ms of the profile (${cpuCores} cores, batches of ${batchSize})`,
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
