/**
 * Tells if a plan still carries the load when one stage is slower than its profile. The estimate ignores drops. With
 * the early drops of the data plane, about half of the estimated misses remain.
 */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import { specOfPlan } from '../model/resolved-spec.js';
import { type ServiceCurves, slowedCurve } from '../profile/service-curves.js';
import { estimatePipeline, type StageConfiguration } from './pipeline-latency.js';
import { stageLoads } from './stage-load.js';

/** Up to this ratio of estimated to allowed misses, early drops keep the SLO. */
const MISSES_WITHOUT_DROPS = 2;

/**
 * Ratio between grid points of the rate. Rates are rounded down to the grid, so that serving threads rarely estimate.
 */
const RATE_STEP = 1.02;

export interface SlowedPlan {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly stages: Plan['stages'];
  readonly stageId: StageId;
}

/**
 * Tells if the plan carries `itemsPerSecond` at the stage with this slowness. Only losses that the slowness causes
 * count. So a plan that is overloaded even at profiled speed passes. One that misses the SLO at profiled speed passes
 * if it stays stable.
 */
export function carriedSlowness(plan: SlowedPlan): (slowness: number, itemsPerSecond: number) => boolean {
  const { stageId } = plan;
  const spec = specOfPlan(plan.spec, plan.stages);
  const configurations = configurationsOf({ ...plan, spec });
  const slowed = configurations?.get(stageId);
  const itemsPerRequest = stageLoads(spec, 1).get(stageId)?.visits ?? 0;
  if (configurations === undefined || slowed === undefined || itemsPerRequest === 0) return () => true;
  const fraction = Math.max(0, 1 - MISSES_WITHOUT_DROPS * (1 - spec.slo.percentile / 100));
  const known = new Map<string, Outlook>();
  const estimateAt = (slowness: number, step: number): Outlook => {
    const key = `${slowness} ${step}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const stages = new Map(configurations).set(stageId, { ...slowed, curve: slowedCurve(slowed.curve, slowness) });
    const estimate = estimatePipeline({ spec, stages, arrivalRps: RATE_STEP ** step / itemsPerRequest });
    const outlook = { stable: estimate.stable, isInTime: estimate.quantileMs(fraction) <= spec.slo.latencyMs };
    known.set(key, outlook);
    return outlook;
  };
  return (slowness, itemsPerSecond) => {
    if (itemsPerSecond <= 0) return true;
    const step = Math.floor(Math.log(itemsPerSecond) / Math.log(RATE_STEP));
    const slow = estimateAt(slowness, step);
    if (slow.isInTime) return true;
    const asProfiled = estimateAt(1, step);
    return !asProfiled.stable || (slow.stable && !asProfiled.isInTime);
  };
}

interface Outlook {
  readonly stable: boolean;
  readonly isInTime: boolean;
}

/** Undefined while a stage has no plan or no curve. */
function configurationsOf({ spec, curves, stages }: SlowedPlan): ReadonlyMap<StageId, StageConfiguration> | undefined {
  const found = new Map<StageId, StageConfiguration>();
  for (const { id } of spec.stages) {
    const plan = stages[id]?.[0];
    const curve = plan && curves.curve(id, plan.variantId, plan.resources.cpuCores);
    if (plan === undefined || curve === undefined) return undefined;
    found.set(id, { curve, replicas: plan.replicas, maxBatchSize: plan.maxBatchSize });
  }
  return found;
}
