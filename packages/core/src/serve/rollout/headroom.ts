/**
 * Cores that replicas may hold while a change is under way: the budget plus `control.surge`. A plan in force with more
 * cores than the budget takes its place. The surge is by default one replica of the largest kind in the old or new
 * plan. Memory and GPUs have no surge and bound no step.
 */
import type { PipelineSpec, Resources } from '../../model/pipeline-spec.js';

/** Bounds of changes from the pipeline file: Infinity without a budget; no `surgeCpuCores` means the default. */
export interface ChangeBounds {
  readonly budgetCpuCores: number;
  readonly surgeCpuCores?: number | undefined;
  /** Longest time until everything of a change has started; Infinity if the file sets none. */
  readonly maxSurgeMs: number;
}

/** Reads the bounds of changes from a spec. */
export function changeBounds({ budget, control }: Pick<PipelineSpec, 'budget' | 'control'>): ChangeBounds {
  return {
    budgetCpuCores: budget.cpuCores ?? Number.POSITIVE_INFINITY,
    ...(control.surgeCpuCores === undefined ? {} : { surgeCpuCores: control.surgeCpuCores }),
    maxSurgeMs: control.surgeMaxMs ?? Number.POSITIVE_INFINITY,
  };
}

/** Replicas of one kind. */
export interface ReplicasOfKind {
  readonly replicas: number;
  readonly resources: Pick<Resources, 'cpuCores'>;
}

/** The change whose headroom is asked for. */
export interface HeadroomInput {
  readonly inForce: readonly ReplicasOfKind[];
  /** The new plan of one of the stages. */
  readonly to?: ReplicasOfKind | undefined;
  /** Cores of the plan in force before the first of several changes; by default those of `inForce`. */
  readonly fromCores?: number;
}

/** Most cores of all replicas together. A plan above the budget between two changes gives the later ones no more. */
export function coresDuringChange(
  { budgetCpuCores, surgeCpuCores }: Pick<ChangeBounds, 'budgetCpuCores' | 'surgeCpuCores'>,
  { inForce, to, fromCores = coresOf(inForce) }: HeadroomInput,
): number {
  const kinds = to === undefined ? inForce : [...inForce, to];
  const largest = (): number => Math.max(0, ...kinds.map(({ resources }) => resources.cpuCores));
  return Math.max(budgetCpuCores, fromCores) + (surgeCpuCores ?? largest());
}

/** Cores that replicas hold together. */
export function coresOf(all: readonly ReplicasOfKind[]): number {
  return all.reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
}

/** Rounding in sums of CPU shares. */
export const CORES_TOLERANCE = 1e-9;

/** Replicas of a kind that fit into the headroom. */
export function startableReplicas(headroomCores: number, cpuCores: number): number {
  if (cpuCores === 0) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.floor((headroomCores + CORES_TOLERANCE) / cpuCores));
}
