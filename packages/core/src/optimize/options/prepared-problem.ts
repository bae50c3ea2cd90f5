import { stageLoads } from '../../estimate/stage-load.js';
import type { Objective, PipelineSpec } from '../../model/pipeline-spec.js';
import { type PlanningProblem, specOf } from '../planning-problem.js';
import { type AccuracyModel, accuracyModel } from '../problem/accuracy-model.js';
import { planningCurves } from '../problem/planning-curves.js';
import { type PlanningGraph, planningGraph } from '../problem/planning-graph.js';
import { limitsOf, type ResourceUse } from '../problem/resource-use.js';
import { usualPaths } from '../problem/usual-paths.js';
import type { PreparedStage } from './prepared-stage.js';
import {
  combineOption,
  relaxedOptionsByBatch,
  relaxedStageOptions,
  type StageOption,
  stageOptions,
} from './stage-option.js';

/** Planning problem with all precomputed data that latency factors do not change. */
export interface PreparedProblem {
  readonly problem: PlanningProblem;
  readonly spec: PipelineSpec;
  readonly graph: PlanningGraph;
  readonly accuracy: AccuracyModel;
  readonly objective: Objective;
  readonly limits: ResourceUse;
  /** SLO latency, the limit of the surrogate's estimate. */
  readonly sloMs: number;
  readonly stages: readonly PreparedStage[];
  /** Options per node of the graph: stages, then combine stages. */
  readonly options: readonly (readonly StageOption[])[];
}

/**
 * Minimum time (ms) over which a switching cost is spread. After a burst, another is expected within a minute. Over a
 * single interval, the cost could exceed the saving of a cheaper plan.
 */
const EXPECTED_IN_FORCE_MS = 60_000;

function prepareStages(problem: PlanningProblem, spec: PipelineSpec): readonly PreparedStage[] {
  const curves = planningCurves(spec, problem.profiles);
  const loads = stageLoads(spec, problem.arrivalRps);
  return spec.stages.map((stage) => ({
    stage,
    variants: problem.variants?.get(stage.id),
    load: loads.get(stage.id) ?? { arrivalRps: problem.arrivalRps, visits: 1, groupSize: 1, joined: false },
    curveOf: (variant, cpuCores) => curves.curve(stage.id, variant, cpuCores),
    loadMsOf: (variant) =>
      problem.profiles.find((p) => p.stageId === stage.id && p.variantId === variant.id)?.loadMs ?? variant.loadMs ?? 0,
    prices: spec.prices,
    limits: limitsOf(spec),
    estimator: problem.estimator,
    burstiness: problem.burstiness,
    percentile: spec.slo.percentile,
    running: problem.runningPlan?.stages[stage.id],
    inForceMs: Math.max(EXPECTED_IN_FORCE_MS, spec.control.intervalMs, spec.control.minDwellMs),
  }));
}

function prepareWith(
  problem: PlanningProblem,
  graphOf: (spec: PipelineSpec) => PlanningGraph,
  optionsOf: (prepared: PreparedStage) => readonly StageOption[],
): PreparedProblem {
  const spec = specOf(problem);
  const graph = graphOf(spec);
  const stages = prepareStages(problem, spec);
  return {
    problem,
    spec,
    graph,
    accuracy: accuracyModel(spec, (problem.omitted ?? problem.thresholds ?? problem.quorums) !== undefined),
    objective: spec.objective,
    limits: limitsOf(spec),
    sloMs: spec.slo.latencyMs,
    stages,
    options: [...stages.map(optionsOf), ...(spec.combines ?? []).map(() => [combineOption])],
  };
}

/** Throws AppError for impossible numbers, invalid pipelines, and missing or invalid profiles. */
export const prepareProblem = (problem: PlanningProblem): PreparedProblem =>
  prepareWith(problem, planningGraph, stageOptions);

/** Relaxation: smallest stable replica counts, smallest service times, and only `usualPaths`. No plan needs less. */
export function prepareRelaxation(problem: PlanningProblem): PreparedProblem {
  const { kind } = problem.objective ?? problem.spec.objective;
  const optionsOf = kind === 'weights' ? relaxedOptionsByBatch : relaxedStageOptions;
  return prepareWith(problem, (spec) => planningGraph(usualPaths(spec)), optionsOf);
}

/** False if accuracy must be measured, and pins or bounds exclude every measured combination. */
export const hasKnownAccuracy = ({ accuracy: { productCounts, measured }, options }: PreparedProblem): boolean =>
  productCounts ||
  measured.some(({ variants }) =>
    options.every((of, s) => of.some(({ variantIndex }) => variants[s] === undefined || variants[s] === variantIndex)),
  );
