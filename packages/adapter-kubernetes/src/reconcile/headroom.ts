/**
 * How many replicas each stage may have now, on the way from one plan to the next. All pods together, those that are going included, hold
 * at most the budget (or what the plan in force holds, where that is more) and `control.surge`. While there is room everything new starts
 * at once, and nothing old goes before the router is switched. Where there is not, old replicas make room one at a time: by the rule of
 * shares, u/U₀ + n/N ≥ 1, once the router sends to old and new ones, else as long as the smaller of both plans is there
 * (core/serve/rollout). Where neither leads on, nothing is touched and the change waits.
 */
import {
  type ChangeBounds,
  coresDuringChange,
  oldReplicasByShare,
  replicasByCount,
  startableReplicas,
} from '@equipoise/core/serve';

/** The pods of a variant of a stage, as they are and as they should be. */
export interface ReplicaGroup {
  /** Name of the Deployment. */
  readonly name: string;
  readonly stage: string;
  /** Cores of a replica: of the wanted one, or of those that run. */
  readonly cpuCores: number;
  /** Replicas of the plan that is to come; missing where it has none. */
  readonly wanted?: number;
  /** Replicas of the plan that the router runs. */
  readonly inForce: number;
  /** Replicas that were asked for last. */
  readonly present: number;
  /** Cores of all pods that are there, and may be there at once by the rollout that is under way. */
  readonly heldCpuCores: number;
  readonly ready: number;
  /** Whether nothing of it is starting or going. */
  readonly isCalm: boolean;
  /** Whether its pods have to be replaced to be as wanted, which takes room for one more. */
  readonly isOutdated: boolean;
  /** Whether somebody else sets its replicas. */
  readonly isForeign: boolean;
}

/** What may be done now. */
export interface HeadroomSteps {
  /** Replicas by name of the Deployment. */
  readonly replicas: ReadonlyMap<string, number>;
  /** Names of those whose pods stay as they are until there is room to replace them. */
  readonly postponed: ReadonlySet<string>;
  /** `share`: the router has to send to old and new replicas before anything old may go; `none`: nothing leads on. */
  readonly kind: 'roomy' | 'short' | 'share' | 'none';
}

/** Cores that all pods of the stages may hold while `groups` change. */
export function boundCpuCores(
  bounds: Pick<ChangeBounds, 'budgetCpuCores' | 'surgeCpuCores'>,
  groups: readonly Pick<ReplicaGroup, 'cpuCores' | 'inForce'>[],
): number {
  const inForce = groups.map(({ cpuCores, inForce: replicas }) => ({ replicas, resources: { cpuCores } }));
  return coresDuringChange(bounds, { inForce });
}

/** The steps within the room. `isShared` says that the router sends to old and new replicas. */
export function stepsWithinHeadroom(groups: readonly ReplicaGroup[], bound: number, isShared: boolean): HeadroomSteps {
  const held = groups.reduce((sum, { heldCpuCores }) => sum + heldCpuCores, 0);
  const { replicas, postponed, isShort, isStarting } = startsWithinHeadroom(groups, bound - held);
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

interface Starts {
  readonly replicas: Map<string, number>;
  readonly postponed: ReadonlySet<string>;
  /** Whether something that is wanted has no room yet, and whether something begins now. */
  readonly isShort: boolean;
  readonly isStarting: boolean;
}

/** What can start or be replaced in the room that is left, in the order of the groups. */
function startsWithinHeadroom(groups: readonly ReplicaGroup[], freeCpuCores: number): Starts {
  const replicas = new Map(groups.map(({ name, present }) => [name, present]));
  const postponed = new Set<string>();
  let [room, isShort, isStarting] = [freeCpuCores, false, false];
  for (const { name, wanted, present, cpuCores, isOutdated, isForeign } of groups) {
    if (wanted === undefined || isForeign) continue;
    const isReplaced = isOutdated && present > 0;
    // While its pods are replaced, which takes one more, it does not grow beside.
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

/** Whether a replica may go before the router is switched to the new plan. */
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
