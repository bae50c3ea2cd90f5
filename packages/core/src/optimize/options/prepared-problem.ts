import { stageLoads } from '../../estimate/stage-load.js';
import type { Objective, PipelineSpec } from '../../model/pipeline-spec.js';
import { countsOnlyMeasured, type PlanningProblem, specOf } from '../planning-problem.js';
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
  const limits = limitsOf(spec);
  return spec.stages.map((stage) => ({
    stage,
    variants: problem.variants?.get(stage.id),
    load: loads.get(stage.id) ?? { arrivalRps: problem.arrivalRps, visits: 1, groupSize: 1, joined: false },
    curveOf: (variant, cpuCores) => curves.curve(stage.id, variant, cpuCores),
    loadMsOf: (variant) =>
      problem.profiles.find((p) => p.stageId === stage.id && p.variantId === variant.id)?.loadMs ?? variant.loadMs ?? 0,
    prices: spec.prices,
    limits,
    estimator: problem.estimator,
    burstiness: problem.burstiness,
    percentile: spec.slo.percentile,
    running: problem.runningPlan?.stages[stage.id],
    inForceMs: Math.max(EXPECTED_IN_FORCE_MS, spec.control.intervalMs, spec.control.minDwellMs),
  }));
}

type OptionsOf = (prepared: PreparedStage) => readonly StageOption[];

/** Options by stage and load. Cases of a problem may share them: only loads and variants of stages differ. */
export type KnownOptions = Map<string, readonly StageOption[]>;

const withKnown =
  (optionsOf: OptionsOf, known: KnownOptions): OptionsOf =>
  (prepared) => {
    const { stage, variants, load } = prepared;
    const key = [stage.id, load.arrivalRps, load.visits, load.groupSize, load.joined, variants ?? ''].join(' ');
    const before = known.get(key);
    if (before !== undefined) return before;
    const options = optionsOf(prepared);
    known.set(key, options);
    return options;
  };

function prepareWith(
  problem: PlanningProblem,
  graphOf: (spec: PipelineSpec) => PlanningGraph,
  optionsOf: OptionsOf,
): PreparedProblem {
  const spec = specOf(problem);
  const graph = graphOf(spec);
  const stages = prepareStages(problem, spec);
  return {
    problem,
    spec,
    graph,
    accuracy: accuracyModel(spec, countsOnlyMeasured(problem)),
    objective: spec.objective,
    limits: limitsOf(spec),
    sloMs: spec.slo.latencyMs,
    stages,
    options: optionsOfNodes(spec, stages, optionsOf),
  };
}

const optionsOfNodes = (
  spec: PipelineSpec,
  stages: readonly PreparedStage[],
  optionsOf: OptionsOf,
): PreparedProblem['options'] => [...stages.map(optionsOf), ...(spec.combines ?? []).map(() => [combineOption])];

function optionsWith(problem: PlanningProblem, optionsOf: OptionsOf): PreparedProblem['options'] {
  const spec = specOf(problem);
  return optionsOfNodes(spec, prepareStages(problem, spec), optionsOf);
}

const relaxedOptionsOf = ({ objective, spec }: PlanningProblem): OptionsOf =>
  (objective ?? spec.objective).kind === 'weights' ? relaxedOptionsByBatch : relaxedStageOptions;

/** A way to prepare problems. `known`: options of other cases of the same problem. */
export interface Preparation {
  prepare(problem: PlanningProblem, known: KnownOptions): PreparedProblem;
  /** Only the options of the problem. */
  options(problem: PlanningProblem, known: KnownOptions): PreparedProblem['options'];
}

export const preparation: Preparation = {
  prepare: (problem, known) => prepareWith(problem, planningGraph, withKnown(stageOptions, known)),
  options: (problem, known) => optionsWith(problem, withKnown(stageOptions, known)),
};

/** Relaxation: smallest stable replica counts, smallest service times, and only `usualPaths`. No plan needs less. */
export const relaxation: Preparation = {
  prepare: (problem, known) =>
    prepareWith(problem, (spec) => planningGraph(usualPaths(spec)), withKnown(relaxedOptionsOf(problem), known)),
  options: (problem, known) => optionsWith(problem, withKnown(relaxedOptionsOf(problem), known)),
};

/** Throws AppError for impossible numbers, invalid pipelines, and missing or invalid profiles. */
export const prepareProblem = (problem: PlanningProblem): PreparedProblem => preparation.prepare(problem, new Map());

export const prepareRelaxation = (problem: PlanningProblem): PreparedProblem => relaxation.prepare(problem, new Map());

/** False if accuracy must be measured, and pins or bounds exclude every measured combination. */
export const hasKnownAccuracy = ({ accuracy: { productCounts, measured }, options }: PreparedProblem): boolean =>
  productCounts ||
  measured.some(({ variants }) =>
    options.every((of, s) => of.some(({ variantIndex }) => variants[s] === undefined || variants[s] === variantIndex)),
  );
