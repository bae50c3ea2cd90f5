import { estimatePipeline, type PipelineQuery, type StageConfiguration } from '../../estimate/pipeline-latency.js';
import { threadLoad } from '../../estimate/serving-thread-load.js';
import { stageLoads } from '../../estimate/stage-load.js';
import { invariant } from '../../kernel/invariant.js';
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan, PlanPrediction } from '../../model/plan.js';
import { specOfPlan } from '../../model/resolved-spec.js';
import { capacityRps, plannedCurves, type ServiceCurves } from '../../profile/service-curves.js';
import { plannedRps } from '../options/prepared-stage.js';

/** Latency (ms) at the percentile of the SLO; Infinity if a stage is overloaded. */
export function latencyAtSlo(query: PipelineQuery): number {
  const arrivalRps = plannedRps(query);
  const estimate = estimatePipeline({ ...query, arrivalRps });
  return estimate.quantileMs(query.spec.slo.percentile / 100) + threadLoad(query.spec, query.stages, arrivalRps).waitMs;
}

/** Capacity in requests per second. `itemsRps`: items per second of each stage, in file order. */
export function pipelineRps(spec: PipelineSpec, itemsRps: readonly number[]): number {
  const visits = stageLoads(spec, 1);
  return Math.min(...spec.stages.map((stage, s) => (itemsRps[s] ?? 0) / (visits.get(stage.id)?.visits || 1)));
}

/** Estimates as the planner does, with `robustness`. Each stage needs one entry with a curve. */
export function estimateStages(
  { spec: stated, curves }: { readonly spec: PipelineSpec; readonly curves: ServiceCurves },
  stages: Plan['stages'],
  arrivalRps: number,
): Pick<PlanPrediction, 'latencyMs' | 'capacityRps'> {
  const spec = specOfPlan(stated, stages);
  const planned = plannedCurves(curves);
  const configurations = new Map(spec.stages.map(({ id }) => [id, configurationOf(id, stages[id], planned)]));
  const itemsRps = [...configurations.values()].map((of) => capacityRps(of.curve, of.replicas, of.maxBatchSize));
  return {
    latencyMs: latencyAtSlo({ spec, stages: configurations, arrivalRps }),
    capacityRps: Math.min(pipelineRps(spec, itemsRps), threadLoad(spec, configurations, arrivalRps).capacityRps),
  };
}

function configurationOf(id: StageId, [part]: Plan['stages'][StageId] = [], curves: ServiceCurves): StageConfiguration {
  invariant(part !== undefined, `stage ${id} has an entry`);
  const { variantId, resources, replicas, maxBatchSize } = part;
  const curve = curves.curve(id, variantId, resources.cpuCores);
  invariant(curve !== undefined, `${id}/${variantId} has a curve for ${resources.cpuCores} cores`);
  return { curve, replicas, maxBatchSize };
}
