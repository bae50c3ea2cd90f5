import { pipelineAccuracy } from '../estimate/pas.js';
import { stageLoads } from '../estimate/stage-load.js';
import type { StageId } from '../model/ids.js';
import { isOmissible, withOmitted } from '../model/omission.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { specOfPlan, variantChoice, withKnownChoices } from '../model/resolved-spec.js';
import { isOfKind, type RunningPlan, runningStages } from '../model/running-plan.js';
import { isWithin, limitsOf, type ResourceUse, totalUse, useOf } from '../optimize/problem/resource-use.js';
import { capacityRps, type ServiceCurves } from '../profile/service-curves.js';

/** The ready replicas as a plan; undefined while a stage has none. Latency and capacity are unknown: 0. */
export function runningAsPlan(spec: PipelineSpec, running: RunningPlan): Plan | undefined {
  const stages = runningStages(spec, running);
  return stages && planOfStages(spec, stages);
}

/** Plan with these stages; it omits optional ones that are not among them. Latency and capacity are unknown: 0. */
export function planOfStages(spec: PipelineSpec, given: Plan['stages']): Plan {
  const stages = withKnownChoices(spec, withOmitted(spec, given));
  const [cpuCores, , , costPerHour] = planUse(spec, stages);
  const { pas } = pipelineAccuracy(spec, variantChoice(stages));
  return {
    stages,
    predicted: { latencyMs: 0, percentile: spec.slo.percentile, pas, capacityRps: 0, cpuCores, costPerHour },
  };
}

export function isSamePlan(a: Plan['stages'], b: Plan['stages'] | undefined): boolean {
  if (b === undefined || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([id, [one]]) => {
    const other = b[id as StageId]?.[0];
    if (one === undefined || other === undefined) return one === other;
    return (
      isOfKind(one, other) &&
      one.replicas === other.replicas &&
      one.maxBatchSize === other.maxBatchSize &&
      one.maxBatchWaitMs === other.maxBatchWaitMs &&
      one.threshold === other.threshold &&
      one.quorum === other.quorum
    );
  });
}

export function keepsPins(spec: PipelineSpec, { stages }: Plan): boolean {
  return spec.stages.every(({ id, pins }) =>
    (stages[id] ?? []).every(
      ({ variantId, resources, maxBatchSize, replicas, threshold, quorum }) =>
        replicas === (pins.replicas ?? replicas) &&
        (pins.omitted ?? replicas === 0) === (replicas === 0) &&
        (replicas === 0 ||
          (variantId === (pins.variantId ?? variantId) &&
            resources.cpuCores === (pins.cpuCores ?? resources.cpuCores) &&
            maxBatchSize === (pins.maxBatchSize ?? maxBatchSize) &&
            threshold === (pins.threshold ?? threshold) &&
            quorum === (pins.quorum ?? quorum))),
    ),
  );
}

/** True if a plan has every stage, within its bounds on replicas, except stages that it may omit. */
export function keepsBounds(spec: PipelineSpec, { stages }: Plan): boolean {
  if (!isOmissible(spec, stages)) return false;
  return spec.stages.every(({ id, bounds }) => {
    const replicas = stages[id]?.[0]?.replicas;
    return (
      replicas === 0 || (replicas !== undefined && replicas >= bounds.minReplicas && replicas <= bounds.maxReplicas)
    );
  });
}

export function fitsBudget(spec: PipelineSpec, { stages }: Plan): boolean {
  const limits = limitsOf(spec);
  return planUse(spec, stages).every((amount, kind) => isWithin(amount, limits[kind] ?? Number.POSITIVE_INFINITY));
}

function withUse(spec: PipelineSpec, plan: Plan): Plan {
  const [cpuCores, , , costPerHour] = planUse(spec, plan.stages);
  return { ...plan, predicted: { ...plan.predicted, cpuCores, costPerHour } };
}

function planUse(spec: PipelineSpec, stages: Plan['stages']): ResourceUse {
  const plans = Object.values(stages).flat();
  return totalUse(plans.map(({ resources, replicas }) => useOf(resources, replicas, spec.prices)));
}

/** Raises each stage to at least its replicas in `leastFor`, if the budget allows it for all. */
export function withLeastReplicas(
  spec: PipelineSpec,
  plan: Plan,
  leastFor: (stageId: StageId, stagePlan: StagePlan) => number,
): Plan {
  const stages = Object.fromEntries(
    Object.entries(plan.stages).map(([id, [first, ...rest]]) => {
      if (first === undefined || first.replicas === 0) return [id, first === undefined ? [] : [first]];
      return [id, [{ ...first, replicas: Math.max(first.replicas, leastFor(id as StageId, first)) }, ...rest]];
    }),
  );
  const raised = withUse(spec, { ...plan, stages });
  return fitsBudget(spec, raised) ? raised : plan;
}

/** The wanted plan, with all running replicas of its kinds if the budget allows it. */
export function withoutShrinking(spec: PipelineSpec, wanted: Plan, running: Plan['stages'] | undefined): Plan {
  if (running === undefined) return wanted;
  return withLeastReplicas(spec, wanted, (id, stagePlan) => {
    const present = running[id]?.[0];
    return present !== undefined && isOfKind(stagePlan, present) ? present.replicas : 0;
  });
}

/** Rate (rps) that the stages sustain if latency does not matter; Infinity if no stage is profiled. */
export function sustainableRps(spec: PipelineSpec, stages: Plan['stages'], curves: ServiceCurves): number {
  const loads = stageLoads(specOfPlan(spec, stages), 1);
  let leastRps = Number.POSITIVE_INFINITY;
  for (const [id, stagePlans] of Object.entries(stages)) {
    const visits = loads.get(id as StageId)?.visits ?? 0;
    let itemsRps = 0;
    for (const { variantId, resources, replicas, maxBatchSize } of stagePlans) {
      const curve = curves.curve(id as StageId, variantId, resources.cpuCores);
      itemsRps += curve === undefined ? Number.POSITIVE_INFINITY : capacityRps(curve, replicas, maxBatchSize);
    }
    if (visits > 0) leastRps = Math.min(leastRps, itemsRps / visits);
  }
  return leastRps;
}
