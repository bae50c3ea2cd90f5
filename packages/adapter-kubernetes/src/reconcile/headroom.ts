/**
 * Replicas of each stage during a change. All pods, terminating ones included, hold at most the cores of the budget (or
 * of the running plan, if larger) plus `control.surge`. With headroom, new replicas start at once. Otherwise old
 * replicas are removed one at a time. With a shared router, the rules of core/serve/rollout set how many must
 * stay.
 */
import {
  type ChangeBounds,
  coresDuringChange,
  oldReplicasByShare,
  replicasByCount,
  startableReplicas,
} from '@equipoise/core/serve';

export interface ReplicaGroup {
  readonly name: string;
  readonly stage: string;
  readonly cpuCores: number;
  /** Replicas of the new plan; missing if it has none. */
  readonly wanted?: number | undefined;
  readonly inForce: number;
  readonly present: number;
  /** Cores held, with the extra pods of a rollout. */
  readonly heldCpuCores: number;
  readonly ready: number;
  readonly isCalm: boolean;
  /** True if the group's pods must be replaced, which takes headroom for one more pod. */
  readonly isOutdated: boolean;
  readonly isForeign: boolean;
  /** True if a pod waits for a node with enough free resources. */
  readonly isUnplaced: boolean;
}

export interface HeadroomSteps {
  readonly replicas: ReadonlyMap<string, number>;
  /** Deployments that wait for headroom to replace their pods. */
  readonly postponed: ReadonlySet<string>;
  /** Kind of step. `share`: an old replica may be removed only with a shared router. `none`: no step is possible. */
  readonly kind: 'roomy' | 'short' | 'share' | 'none';
}

export function boundCpuCores(
  bounds: Pick<ChangeBounds, 'budgetCpuCores' | 'surgeCpuCores'>,
  groups: readonly Pick<ReplicaGroup, 'cpuCores' | 'inForce'>[],
): number {
  const inForce = groups.map(({ cpuCores, inForce: replicas }) => ({ replicas, resources: { cpuCores } }));
  return coresDuringChange(bounds, { inForce });
}

/** Steps within the headroom. `isShared`: the router serves both plans. */
export function stepsWithinHeadroom(groups: readonly ReplicaGroup[], bound: number, isShared: boolean): HeadroomSteps {
  const held = groups.reduce((sum, { heldCpuCores }) => sum + heldCpuCores, 0);
  const { replicas, postponed, isShort, isStarting } = startsWithinHeadroom(groups, bound - held);
  const surplus = isStarting ? undefined : surplusWithoutNode(groups);
  if (surplus !== undefined) replicas.set(surplus.name, surplus.present - 1);
  if (!isShort) return { kind: 'roomy', replicas, postponed };
  if (isStarting || groups.some(({ isCalm }) => !isCalm)) return { kind: 'short', replicas, postponed };
  const leaving = groups.find((group) => maySpareOne(group, groups, isShared));
  if (leaving !== undefined) {
    replicas.set(leaving.name, leaving.present - 1);
    return { kind: 'short', replicas, postponed };
  }
  const isWorthSharing = !isShared && groups.some((group) => maySpareOne(group, groups, true));
  return { kind: isWorthSharing ? 'share' : 'none', replicas, postponed };
}

/** Group with replicas that the new plan does not need, while a pod has no node: their resources may be what it lacks. */
function surplusWithoutNode(groups: readonly ReplicaGroup[]): ReplicaGroup | undefined {
  if (!groups.some(({ isUnplaced }) => isUnplaced)) return undefined;
  if (groups.some(({ isCalm, isUnplaced }) => !isCalm && !isUnplaced)) return undefined;
  return groups.find(({ wanted, present, isForeign }) => wanted !== undefined && present > wanted && !isForeign);
}

interface Starts {
  readonly replicas: Map<string, number>;
  readonly postponed: ReadonlySet<string>;
  /** `isShort`: a wanted replica has no headroom yet. */
  readonly isShort: boolean;
  readonly isStarting: boolean;
}

function startsWithinHeadroom(groups: readonly ReplicaGroup[], freeCpuCores: number): Starts {
  const replicas = new Map(groups.map(({ name, present }) => [name, present]));
  const postponed = new Set<string>();
  let [room, isShort, isStarting] = [freeCpuCores, false, false];
  for (const { name, wanted, present, cpuCores, isOutdated, isForeign } of groups) {
    if (wanted === undefined || isForeign) continue;
    const isReplaced = isOutdated && present > 0;
    // A group does not grow while its pods are replaced.
    const missing = isReplaced ? 1 : Math.max(0, wanted - present);
    const granted = Math.min(missing, startableReplicas(room, cpuCores));
    room -= granted * cpuCores;
    isStarting ||= granted > 0;
    isShort ||= granted < missing || (isReplaced && wanted > present);
    if (!isReplaced) replicas.set(name, present + granted);
    else if (granted === 0) postponed.add(name);
  }
  return { replicas, postponed, isShort, isStarting };
}

function maySpareOne(group: ReplicaGroup, groups: readonly ReplicaGroup[], isShared: boolean): boolean {
  const { stage, wanted, present, inForce, isForeign } = group;
  if (present === 0 || isForeign) return false;
  if (wanted !== undefined) return present > wanted;
  const successor = groups.find((other) => other.stage === stage && other.wanted !== undefined);
  if (successor?.wanted === undefined) return true;
  const shift = { oldAtStart: Math.max(1, inForce), newAtStart: 0, newWanted: successor.wanted };
  const serving = isShared ? successor.ready : 0;
  const left = present - 1;
  return left >= oldReplicasByShare(shift, serving) || left + serving >= replicasByCount(shift);
}
