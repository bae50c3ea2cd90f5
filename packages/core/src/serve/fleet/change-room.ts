/**
 * The cores that replicas may hold while a change is under way: the budget (or what the plan in force holds, where that is more) plus
 * `control.surge`, by default one replica of the largest kind in the old or new plan. Memory and GPUs have no surge and bound no step.
 */
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningReplica } from '../../model/running-plan.js';
import { readyCounts, stageSteps } from './stage-steps.js';

/** Bounds of changes as the pipeline file states them: Infinity without a budget; `surgeCpuCores` left out means the default. */
export interface ChangeBounds {
  readonly budgetCpuCores: number;
  readonly surgeCpuCores?: number;
  /** Longest time that a change may take to have everything started; Infinity when left out in the file. */
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
export type ReplicasOfKind = Pick<StagePlan, 'replicas' | 'resources'>;

/** What bounds the replicas of all stages between the plan in force and a new one. */
export interface RoomOfChange {
  readonly inForce: readonly ReplicasOfKind[];
  /** The new plan of one of the stages. */
  readonly to?: ReplicasOfKind | undefined;
  /** Cores of the plan in force before the first of several changes; those of `inForce` when left out. */
  readonly fromCores?: number;
}

/** Cores that all replicas together may hold: between several changes plans may lie above the budget, which gives the later ones no more room. */
export function coresDuringChange(
  { budgetCpuCores, surgeCpuCores }: ChangeBounds,
  { inForce, to, fromCores = coresOf(inForce) }: RoomOfChange,
): number {
  const kinds = [...inForce, ...(to ? [to] : [])];
  const largest = (): number => Math.max(0, ...kinds.map(({ resources }) => resources.cpuCores));
  return Math.max(budgetCpuCores, fromCores) + (surgeCpuCores ?? largest());
}

/** Cores that replicas hold together. */
export function coresOf(all: readonly ReplicasOfKind[]): number {
  return all.reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
}

/** A change tried in thought: the replicas of the stage, and the cores that it may hold. */
export interface ChangeInThought {
  readonly replicas: readonly RunningReplica[];
  readonly to: StagePlan;
  readonly cpuCores: number;
}

/** Whether the steps lead to the end within the room if every start succeeds, one at a time. */
export function leadsThrough({ replicas, to, cpuCores }: ChangeInThought): boolean {
  const before = readyCounts(replicas, to);
  let present = replicas.filter(({ status }) => status === 'ready');
  for (let started = 0; ; started++) {
    const heldCores = present.reduce((sum, { resources }) => sum + resources.cpuCores, 0);
    const room = { cpuCores: cpuCores - heldCores, starts: 1, comesFree: false };
    const { start, drain, state } = stageSteps({ replicas: present, to, before, adopted: true }, room);
    if (state !== 'under-way') return state === 'arrived';
    present = present.filter(({ replicaId }) => !drain.includes(replicaId));
    if (start > 0) present.push(inThought(to, started));
  }
}

function inThought({ variantId, resources }: StagePlan, number: number): RunningReplica {
  return { replicaId: `in-thought-${number}` as RunningReplica['replicaId'], variantId, resources, status: 'ready' };
}
