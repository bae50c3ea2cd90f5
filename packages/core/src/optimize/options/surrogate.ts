import type { NodeGroup, Objective } from '../../model/pipeline-spec.js';
import type { PlanningProblem } from '../planning-problem.js';
import type { AccuracyModel } from '../problem/accuracy-model.js';
import type { PlanningGraph } from '../problem/planning-graph.js';
import type { ResourceUse } from '../problem/resource-use.js';
import type { PreparedProblem } from './prepared-problem.js';
import type { StageOption } from './stage-option.js';

/**
 * Additive surrogate (docs/explain/planner.md): an option takes ℓ = κ · (mean + θ · (tail − mean)) ms. θ = 1 adds
 * tails, which usually overestimates.
 */

/** θ (0…1) and κ (above 0). */
export interface LatencyFactors {
  readonly theta: number;
  readonly kappa: number;
}

/** `costPerHour` includes switching. */
export interface SurrogateOption {
  readonly option: StageOption;
  readonly latencyMs: number;
  readonly costPerHour: number;
}

export interface SurrogateProblem {
  readonly graph: PlanningGraph;
  readonly accuracy: AccuracyModel;
  readonly objective: Objective;
  readonly limits: ResourceUse;
  readonly sloMs: number;
  readonly stages: readonly (readonly SurrogateOption[])[];
  readonly nodes?: readonly NodeGroup[] | undefined;
  readonly copies?: number | undefined;
  readonly labelLimit: number;
  /** Value of a known choice. Worse choices may be left out. */
  readonly knownValue?: number | undefined;
}

const DEFAULT_LABEL_LIMIT = 2_000_000;

export const labelLimitOf = ({ labelLimit = DEFAULT_LABEL_LIMIT }: Pick<PlanningProblem, 'labelLimit'>): number =>
  labelLimit;

export const optionLatencyMs = (option: Pick<StageOption, 'meanMs' | 'tailMs'>, factors: LatencyFactors): number =>
  option.tailMs === Number.POSITIVE_INFINITY
    ? option.tailMs // unstable; the difference of two infinities is NaN
    : factors.kappa * (option.meanMs + factors.theta * (option.tailMs - option.meanMs));

interface TimedOptions extends LatencyFactors {
  readonly timed: readonly SurrogateOption[];
}

const lastTimed = new WeakMap<readonly StageOption[], TimedOptions>();

/** Keeps the last result, because cases of a problem share most of their options. */
export function timedOptions(options: readonly StageOption[], factors: LatencyFactors): readonly SurrogateOption[] {
  const last = lastTimed.get(options);
  const { theta, kappa } = factors;
  if (last?.theta === theta && last.kappa === kappa) return last.timed;
  const timed = options.map((option) => ({
    option,
    latencyMs: optionLatencyMs(option, factors),
    costPerHour: option.use[3] + option.switchingCostPerHour,
  }));
  lastTimed.set(options, { theta, kappa, timed });
  return timed;
}

export function surrogateProblem(prepared: PreparedProblem, factors: LatencyFactors): SurrogateProblem {
  const { graph, accuracy, objective, limits, sloMs, spec } = prepared;
  return {
    graph,
    accuracy,
    objective,
    limits,
    sloMs,
    stages: prepared.options.map((options) => timedOptions(options, factors)),
    nodes: spec.nodes,
    copies: spec.copies,
    labelLimit: labelLimitOf(prepared.problem),
  };
}

/** `choice` lists options in file order. If absent, no choice exists (`optimal`) or none was found. */
export interface Solution {
  readonly choice?: readonly SurrogateOption[];
  readonly optimal: boolean;
  /** Maximum relative improvement that is still possible; 0 if optimal. */
  readonly gapFraction: number;
  readonly solver: string;
  readonly labels: number;
}

/** One option per stage, in file order. */
export type SurrogateChoice = readonly SurrogateOption[];

export const choiceKey = (choice: SurrogateChoice): string =>
  choice.map(({ option: o }) => [o.variantIndex, o.resources.cpuCores, o.maxBatchSize, o.replicas].join('/')).join(' ');
