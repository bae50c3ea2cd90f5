/**
 * The additive surrogate: an option takes ℓ = κ · (mean + θ · (tail − mean)) ms, chains add, joins take the maximum (or the k-th
 * smallest). θ = 1 adds tails, which is safe and loose; θ = 0 adds means; κ stretches what even θ = 1 underestimates.
 */

import type { NodeGroup, Objective } from '../../model/pipeline-spec.js';
import type { StageOption } from '../options/stage-option.js';
import type { AccuracyModel } from '../problem/accuracy-model.js';
import type { PlanningGraph } from '../problem/planning-graph.js';
import type { PlanningSetting } from '../problem/planning-setting.js';
import type { ResourceUse } from '../problem/resource-use.js';

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

/** The surrogate of a setting under the given factors. */
export function surrogateProblem(setting: PlanningSetting, factors: LatencyFactors): SurrogateProblem {
  const { graph, accuracy, objective, limits, sloMs, spec } = setting;
  return {
    graph,
    accuracy,
    objective,
    limits,
    sloMs,
    stages: setting.options.map((options) =>
      options.map((option) => ({
        option,
        latencyMs: optionLatencyMs(option, factors),
        costPerHour: option.use[3] + option.switchingCostPerHour,
      })),
    ),
    ...(spec.nodes === undefined ? {} : { nodes: spec.nodes }),
    labelLimit: setting.problem.labelLimit ?? DEFAULT_LABEL_LIMIT,
  };
}
