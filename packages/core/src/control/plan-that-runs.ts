/**
 * What runs, read as a plan: so that it can be verified, compared with a better one, and kept as the last good plan.
 * Only ready replicas count; a stage in the middle of a change counts as the variant that serves most.
 */
import { pipelineAccuracy } from '../estimate/pas.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { RunningPlan, RunningReplica, RunningStage } from '../model/running-plan.js';
import { totalUse, useOf } from '../optimize/problem/resource-use.js';

/** The running plan as a plan, or undefined while a stage has no ready replica. Latency and capacity are left at 0: unknown. */
export function planThatRuns(spec: PipelineSpec, running: RunningPlan): Plan | undefined {
  const stages: Record<StageId, readonly StagePlan[]> = {};
  for (const { id } of spec.stages) {
    const stagePlan = stageThatRuns(running.stages[id]);
    if (stagePlan === undefined) return undefined;
    stages[id] = [stagePlan];
  }
  return planOfStages(spec, stages);
}

/** A plan of these stages, one entry a stage, with accuracy, cores and cost; latency and capacity are left at 0: unknown. */
export function planOfStages(spec: PipelineSpec, stages: Plan['stages']): Plan {
  const plans = Object.values(stages).flat();
  const [cpuCores, , , costPerHour] = totalUse(plans.map((plan) => useOf(plan.resources, plan.replicas, spec.prices)));
  const { pas } = pipelineAccuracy(spec, variantChoice(stages));
  return {
    stages,
    predicted: { latencyMs: 0, percentile: spec.slo.percentile, pas, capacityRps: 0, cpuCores, costPerHour },
  };
}

/** The variants by stage, as the accuracy model takes them. */
export function variantChoice(stages: Plan['stages']): Readonly<Record<StageId, VariantId>> {
  const choice: Record<StageId, VariantId> = {};
  for (const [id, [stagePlan]] of Object.entries(stages))
    if (stagePlan !== undefined) choice[id as StageId] = stagePlan.variantId;
  return choice;
}

function stageThatRuns(stage: RunningStage | undefined): StagePlan | undefined {
  const ready = stage?.replicas.filter(({ status }) => status === 'ready') ?? [];
  const sameKind = (a: RunningReplica, b: RunningReplica) =>
    a.variantId === b.variantId && a.resources.cpuCores === b.resources.cpuCores;
  const kinds = ready.map((replica) => ready.filter((other) => sameKind(replica, other)));
  const largest = kinds.reduce((best, kind) => (kind.length > best.length ? kind : best), []);
  const [replica] = largest;
  if (stage === undefined || replica === undefined) return undefined;
  const { variantId, resources } = replica;
  const { maxBatchSize, maxBatchWaitMs } = stage;
  return { variantId, resources, maxBatchSize, maxBatchWaitMs, replicas: largest.length, trafficFraction: 1 };
}
