import type { NodeGroup, Objective } from '../../model/pipeline-spec.js';
import type { AccuracyModel } from '../problem/accuracy-model.js';
import type { PlanningGraph } from '../problem/planning-graph.js';
import type { ResourceUse } from '../problem/resource-use.js';
import type { PreparedProblem } from './prepared-problem.js';
import type { StageOption } from './stage-option.js';

/**
 * The additive surrogate: an option takes ℓ = κ · (mean + θ · (tail − mean)) ms, chains add, joins take the maximum (or the k-th
 * smallest). θ = 1 adds tails, which is safe and loose; θ = 0 adds means; κ stretches what even θ = 1 underestimates.
 */

/** θ (0…1) and κ (at least 1). */
export interface LatencyFactors {
  readonly theta: number;
  readonly kappa: number;
}

/** An option with its surrogate latency and what it adds to the cost of the objective (switching included). */
export interface SurrogateOption {
  readonly option: StageOption;
  readonly latencyMs: number;
  readonly costPerHour: number;
}

/** The problem a solver solves exactly. */
export interface SurrogateProblem {
  readonly graph: PlanningGraph;
  readonly accuracy: AccuracyModel;
  readonly objective: Objective;
  readonly limits: ResourceUse;
  readonly sloMs: number;
  /** Options per stage. */
  readonly stages: readonly (readonly SurrogateOption[])[];
  /** Machines that the replicas must fit on, if their sizes are known. */
  readonly nodes?: readonly NodeGroup[];
  readonly labelLimit: number;
}

const DEFAULT_LABEL_LIMIT = 2_000_000;

/** Surrogate latency (ms) of one option. */
export const optionLatencyMs = (option: Pick<StageOption, 'meanMs' | 'tailMs'>, factors: LatencyFactors): number =>
  option.tailMs === Number.POSITIVE_INFINITY
    ? option.tailMs // an unstable option; the difference of two infinities is no number
    : factors.kappa * (option.meanMs + factors.theta * (option.tailMs - option.meanMs));

/** The surrogate of a prepared under the given factors. */
export function surrogateProblem(prepared: PreparedProblem, factors: LatencyFactors): SurrogateProblem {
  const { graph, accuracy, objective, limits, sloMs, spec } = prepared;
  return {
    graph,
    accuracy,
    objective,
    limits,
    sloMs,
    stages: prepared.options.map((options) =>
      options.map((option) => ({
        option,
        latencyMs: optionLatencyMs(option, factors),
        costPerHour: option.use[3] + option.switchingCostPerHour,
      })),
    ),
    ...(spec.nodes === undefined ? {} : { nodes: spec.nodes }),
    labelLimit: prepared.problem.labelLimit ?? DEFAULT_LABEL_LIMIT,
  };
}

/** What a solver answers: the best choice it found with what is proven of it. */

/** One option per stage in the order of the pipeline file; no `choice` means that none exists (if `optimal`) or none was found. */
export interface Solution {
  readonly choice?: readonly SurrogateOption[];
  readonly optimal: boolean;
  /** How far, as a fraction of the objective, any other choice could be better; 0 when optimal. */
  readonly gapFraction: number;
  readonly solver: string;
  readonly labels: number;
}

/** A choice of one option per stage, in the order of the pipeline file. */

/** Options per stage. */
export type SurrogateChoice = readonly SurrogateOption[];

/** The same text for the same plan. */
export const choiceKey = (choice: SurrogateChoice): string =>
  choice.map(({ option: o }) => [o.variantIndex, o.resources.cpuCores, o.maxBatchSize, o.replicas].join('/')).join(' ');
