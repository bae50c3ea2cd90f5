/**
 * The additive surrogate: an option takes ℓ = κ · (mean + θ · (tail − mean)) ms, chains add, joins take the maximum (or the k-th
 * smallest). θ = 1 adds tails, which is safe and loose; θ = 0 adds means; κ stretches what even θ = 1 underestimates.
 */

import type { NodeGroup, Objective } from '../model/pipeline-spec.js';
import type { AccuracyModel } from './accuracy-model.js';
import type { PlanningGraph } from './planning-graph.js';
import type { PlanningSetting } from './planning-setting.js';
import type { ResourceUse } from './resource-use.js';
import type { StageOption } from './stage-option.js';

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
  /** Options per stage, none dominated by another of its variant. */
  readonly stages: readonly (readonly SurrogateOption[])[];
  /** Machines that the replicas must fit on, if their sizes are known. */
  readonly nodes?: readonly NodeGroup[];
  readonly labelLimit: number;
}

const DEFAULT_LABEL_LIMIT = 2_000_000;

/** Surrogate latency (ms) of one option. */
export const optionLatencyMs = (option: Pick<StageOption, 'meanMs' | 'tailMs'>, factors: LatencyFactors): number =>
  factors.kappa * (option.meanMs + factors.theta * (option.tailMs - option.meanMs));

function dominates(a: SurrogateOption, b: SurrogateOption, batchCounts: boolean): boolean {
  if (a.latencyMs > b.latencyMs || a.costPerHour > b.costPerHour) return false;
  if (batchCounts && a.option.maxBatchSize > b.option.maxBatchSize) return false;
  return a.option.use.every((amount, r) => amount <= (b.option.use[r] as number));
}

/** Options of one variant that no other of it beats in everything; of equals the first stays. */
function undominated(options: readonly SurrogateOption[], batchCounts: boolean): readonly SurrogateOption[] {
  const sorted = [...options].sort((a, b) => a.costPerHour - b.costPerHour || a.latencyMs - b.latencyMs);
  const kept: SurrogateOption[] = [];
  for (const candidate of sorted) if (!kept.some((k) => dominates(k, candidate, batchCounts))) kept.push(candidate);
  return kept;
}

/** Options that may replace each other: of one variant, and on machines of given sizes with replicas of one size. */
function kindOf({ option }: SurrogateOption, sizesCount: boolean): string {
  const { cpuCores, memoryBytes, gpus } = option.resources;
  return sizesCount ? [option.variantIndex, cpuCores, memoryBytes, gpus].join(' ') : `${option.variantIndex}`;
}

/** The surrogate of a setting under the given factors. */
export function surrogateProblem(setting: PlanningSetting, factors: LatencyFactors): SurrogateProblem {
  const { graph, accuracy, objective, limits, sloMs, spec } = setting;
  const stages = setting.options.map((options) => {
    const kinds = new Map<string, SurrogateOption[]>();
    for (const option of options) {
      const costPerHour = option.use[3] + option.switchingCostPerHour;
      const timed = { option, latencyMs: optionLatencyMs(option, factors), costPerHour };
      const kind = kindOf(timed, spec.nodes !== undefined);
      kinds.set(kind, [...(kinds.get(kind) ?? []), timed]);
    }
    return [...kinds.values()].flatMap((kind) => undominated(kind, objective.kind === 'weights'));
  });
  return {
    graph,
    accuracy,
    objective,
    limits,
    sloMs,
    stages,
    ...(spec.nodes === undefined ? {} : { nodes: spec.nodes }),
    labelLimit: setting.problem.labelLimit ?? DEFAULT_LABEL_LIMIT,
  };
}
