import { EstimateMemo } from '../../estimate/estimate-memo.js';
import { threadLoad } from '../../estimate/serving-thread-load.js';
import type { StageId } from '../../model/ids.js';
import { omittedPlan } from '../../model/omission.js';
import type { Plan, PlanPrediction, StagePlan } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import type { StageOption } from '../options/stage-option.js';
import type { PlanningProblem } from '../planning-problem.js';
import { graphLatencyMs } from '../problem/planning-graph.js';
import { totalUse } from '../problem/resource-use.js';
import { latencyAtSlo, pipelineRps } from './estimate-stages.js';

/** One option per stage, in file order. */
export type StageChoice = readonly StageOption[];

const byStage = ({ spec }: PreparedProblem, choice: StageChoice): ReadonlyMap<StageId, StageOption> =>
  new Map(spec.stages.map((stage, s) => [stage.id, choice[s] as StageOption]));

const memos = new WeakMap<PlanningProblem, EstimateMemo>();

function memoOf(problem: PlanningProblem): EstimateMemo {
  const memo = memos.get(problem) ?? new EstimateMemo();
  memos.set(problem, memo);
  return memo;
}

function estimatedLatencyMs(prepared: PreparedProblem, choice: StageChoice): number {
  const { spec, problem } = prepared;
  return latencyAtSlo({
    spec,
    stages: byStage(prepared, choice),
    arrivalRps: problem.arrivalRps,
    burstiness: problem.burstiness,
    memo: memoOf(problem),
  });
}

function predictionOf(prepared: PreparedProblem, choice: StageChoice, latencyMs: number): PlanPrediction {
  const [cpuCores, , , costPerHour] = totalUse(choice.map((option) => option.use));
  const { spec, problem } = prepared;
  const stagesRps = pipelineRps(
    spec,
    choice.map((option) => option.capacityRps),
  );
  return {
    latencyMs,
    percentile: spec.slo.percentile,
    pas: prepared.accuracy.pas(choice.map((option) => option.variantIndex)) ?? 0,
    capacityRps: Math.min(stagesRps, threadLoad(spec, byStage(prepared, choice), problem.arrivalRps).capacityRps),
    cpuCores,
    costPerHour,
  };
}

function stagesOf({ spec, problem }: PreparedProblem, choice: StageChoice): Plan['stages'] {
  const stages = spec.stages.map((stage, s): [string, readonly StagePlan[]] => {
    const { variantId, resources, maxBatchSize, replicas } = choice[s] as StageOption;
    const { maxBatchWaitMs } = stage.bounds;
    const threshold = problem.thresholds?.get(stage.id);
    const quorum = problem.quorums?.get(stage.id);
    const chosen = {
      ...{ variantId, resources, maxBatchSize, maxBatchWaitMs, replicas, trafficFraction: 1 },
      ...(threshold !== undefined && { threshold }),
      ...(quorum !== undefined && { quorum }),
    };
    return [stage.id, [chosen]];
  });
  const omitted = problem.omitted?.map((stage): [string, readonly StagePlan[]] => [stage.id, [omittedPlan(stage)]]);
  return Object.fromEntries([...stages, ...(omitted ?? [])]);
}

const sumOfTailsMs = ({ graph }: PreparedProblem, choice: StageChoice): number =>
  graphLatencyMs(graph, (s) => choice[s]?.tailMs ?? 0);

/** Plan for simulation. Its predicted latency is the sum of tails. */
export function sketchOf(prepared: PreparedProblem, choice: StageChoice): Plan {
  const predicted = predictionOf(prepared, choice, sumOfTailsMs(prepared, choice));
  return { stages: stagesOf(prepared, choice), predicted };
}

/** Plan whose latency is the estimate for the whole graph. */
export function planOf(prepared: PreparedProblem, choice: StageChoice): Plan {
  const sums = prepared.problem.estimator === 'sum-of-tails';
  const latencyMs = sums ? sumOfTailsMs(prepared, choice) : estimatedLatencyMs(prepared, choice);
  return { stages: stagesOf(prepared, choice), predicted: predictionOf(prepared, choice, latencyMs) };
}
