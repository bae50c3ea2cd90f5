/** What the status says of the requests of the last minute, rounded so that chance alone changes little of it. */
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import type { RouterWindow } from '../observe/router-history.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';

type Observed = NonNullable<ObservedPipeline['observed']>;

/** The window beside what the plan that the router is configured for predicts of itself. */
export function observedStatus({ slo }: PipelineSpec, window: RouterWindow, routed: Plan | undefined): Observed {
  const { arrivalRps, latencyMs, sloAttainmentFraction } = window;
  return {
    ...{ arrivalRps: rounded(arrivalRps), percentile: slo.percentile },
    ...(latencyMs !== undefined && { latencyMs: rounded(latencyMs) }),
    ...(sloAttainmentFraction !== undefined && { sloAttainmentFraction: Number(sloAttainmentFraction.toFixed(4)) }),
    ...(routed && used(routed)),
  };
}

/** Whether two say the same about the SLO. */
export function sameVerdict({ slo }: PipelineSpec, a: Observed | undefined, b: Observed | undefined): boolean {
  const verdict = (of: Observed | undefined) =>
    of?.sloAttainmentFraction === undefined ? undefined : of.sloAttainmentFraction >= slo.percentile / 100;
  return verdict(a) === verdict(b);
}

const rounded = (value: number): number => Number(value.toPrecision(2));

const used = ({ predicted: { pas, cpuCores, costPerHour } }: Plan) => ({ pas, cpuCores, costPerHour });
