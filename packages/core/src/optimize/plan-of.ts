/** Turns a solver's choice into a plan with what the estimate predicts of it. */
import { estimatePipeline } from '../estimate/pipeline-latency.js';
import { stageLoads } from '../estimate/stage-load.js';
import type { Plan, PlanPrediction, StagePlan } from '../model/plan.js';
import { graphLatencyMs } from './planning-graph.js';
import type { PlanningSetting } from './planning-setting.js';
import { totalUse } from './resource-use.js';
import { plannedRps, type StageOption } from './stage-option.js';

/** One option per stage, in the order of the pipeline file. */
export type StageChoice = readonly StageOption[];

function predictedLatencyMs({ spec, problem, graph }: PlanningSetting, choice: StageChoice): number {
  if (problem.estimator === 'sum-of-tails') return graphLatencyMs(graph, (s) => choice[s]?.tailMs ?? 0);
  const estimate = estimatePipeline({
    spec,
    stages: new Map(spec.stages.map((stage, s) => [stage.id, choice[s] as StageOption])),
    arrivalRps: Math.max(problem.arrivalRps, plannedRps({ arrivalRps: 0 })),
    ...(problem.burstiness === undefined ? {} : { burstiness: problem.burstiness }),
  });
  return estimate.quantileMs(spec.slo.percentile / 100);
}

function capacityOf({ spec }: PlanningSetting, choice: StageChoice): number {
  const visits = stageLoads(spec, 1);
  const perStage = spec.stages.map((stage, s) => (choice[s]?.capacityRps ?? 0) / (visits.get(stage.id)?.visits || 1));
  return Math.min(...perStage);
}

function predictionOf(setting: PlanningSetting, choice: StageChoice): PlanPrediction {
  const [cpuCores, , , costPerHour] = totalUse(choice.map((option) => option.use));
  return {
    latencyMs: predictedLatencyMs(setting, choice),
    percentile: setting.spec.slo.percentile,
    pas: setting.accuracy.pas(choice.map((option) => option.variantIndex)) ?? 0,
    capacityRps: capacityOf(setting, choice),
    cpuCores,
    costPerHour,
  };
}

/** The plan of a choice at the rate of the setting. */
export function planOf(setting: PlanningSetting, choice: StageChoice): Plan {
  const stages = setting.spec.stages.map((stage, s): [string, readonly StagePlan[]] => {
    const { variantId, resources, maxBatchSize, replicas } = choice[s] as StageOption;
    const { maxBatchWaitMs } = stage.bounds;
    return [stage.id, [{ variantId, resources, maxBatchSize, maxBatchWaitMs, replicas, trafficFraction: 1 }]];
  });
  return { stages: Object.fromEntries(stages), predicted: predictionOf(setting, choice) };
}
