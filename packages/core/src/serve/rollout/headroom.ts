/**
 * Cores that replicas may hold during a change: the budget (or a larger plan in force) plus `control.surge`. By default
 * the surge is one replica of the largest kind, old or new. Memory and GPUs do not bound a step.
 */
import type { StageId } from '../../model/ids.js';
import type { Budget, ControlSpec, Resources, StageSpec } from '../../model/pipeline-spec.js';

/** Bounds of changes. Without a budget, `budgetCpuCores` is Infinity. Without `surgeCpuCores`, the default applies. */
export interface ChangeBounds {
  readonly budgetCpuCores: number;
  readonly surgeCpuCores?: number | undefined;
  /** Maximum time (ms) for the starts of a change or canary step; default Infinity. */
  readonly maxSurgeMs: number;
  /** Maximum replicas by stage; unlimited by default. */
  readonly mostReplicas?: ReadonlyMap<StageId, number>;
}

/** Fields of a pipeline that bound changes. */
export interface ChangeLimits {
  readonly budget: Pick<Budget, 'cpuCores'>;
  readonly control: Pick<ControlSpec, 'surgeCpuCores' | 'surgeMaxMs'>;
  readonly stages?: readonly Pick<StageSpec, 'id' | 'bounds'>[];
}

export function changeBounds({ budget, control, stages = [] }: ChangeLimits): ChangeBounds {
  return {
    budgetCpuCores: budget.cpuCores ?? Number.POSITIVE_INFINITY,
    ...(control.surgeCpuCores === undefined ? {} : { surgeCpuCores: control.surgeCpuCores }),
    maxSurgeMs: control.surgeMaxMs ?? Number.POSITIVE_INFINITY,
    mostReplicas: new Map(stages.map(({ id, bounds }) => [id, bounds.maxReplicas])),
  };
}

export interface ReplicasOfKind {
  readonly replicas: number;
  readonly resources: Pick<Resources, 'cpuCores'>;
}

export interface HeadroomInput {
  readonly inForce: readonly ReplicasOfKind[];
  readonly to?: ReplicasOfKind | undefined;
  /** Cores of the plan before the first of several changes; default: cores of `inForce`. */
  readonly fromCores?: number;
}

/**
 * Maximum cores that all replicas may hold. In a series of changes, `fromCores` keeps intermediate plans from raising
 * the limit.
 */
export function coresDuringChange(
  { budgetCpuCores, surgeCpuCores }: Pick<ChangeBounds, 'budgetCpuCores' | 'surgeCpuCores'>,
  { inForce, to, fromCores = coresOf(inForce) }: HeadroomInput,
): number {
  const kinds = to === undefined ? inForce : [...inForce, to];
  const largest = (): number => Math.max(0, ...kinds.map(({ resources }) => resources.cpuCores));
  return Math.max(budgetCpuCores, fromCores) + (surgeCpuCores ?? largest());
}

export function coresOf(all: readonly ReplicasOfKind[]): number {
  return all.reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
}

/** Tolerance for rounding in sums of CPU shares. */
export const CORES_TOLERANCE = 1e-9;

export function startableReplicas(headroomCores: number, cpuCores: number): number {
  if (cpuCores === 0) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.floor((headroomCores + CORES_TOLERANCE) / cpuCores));
}
