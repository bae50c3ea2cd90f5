/**
 * Changes from the actual replicas to the wanted ones, in the order to apply them. Growth comes first unless it needs
 * cores that shrinking frees. If both plans are within the budget and the headroom fits one replica of the largest
 * kind, shrinking first always works. No stage gets two changes that restart replicas.
 */
import type { Change } from '../model/change.js';
import type { StageId } from '../model/ids.js';
import type { Plan, StagePlan } from '../model/plan.js';
import {
  isOfKind,
  liveReplicas,
  type RunningPlan,
  type RunningReplica,
  type RunningStage,
} from '../model/running-plan.js';
import { reachesPlan } from '../serve/fleet/stage-steps.js';
import {
  type ChangeBounds,
  type ChangeLimits,
  CORES_TOLERANCE,
  changeBounds,
  coresDuringChange,
  coresOf,
} from '../serve/rollout/headroom.js';

type ReplicasByStage = ReadonlyMap<StageId, readonly RunningReplica[]>;

const ORDER: Readonly<Record<Change['kind'], number>> = {
  'set-batch': 0,
  scale: 1,
  'switch-variant': 2,
  'set-resources': 3,
  // Stages that a higher threshold or quorum needs have grown before; others shrink after it.
  'set-threshold': 4,
  'set-quorum': 5,
};

/**
 * Changes from `running` to `plan`, within the headroom of the pipeline. Starting and ready replicas count; draining
 * and failed ones do not.
 */
export function diffPlans(running: RunningPlan, plan: Plan, limits: ChangeLimits): readonly Change[] {
  return arrangedChanges(running, plan, { bounds: changeBounds(limits), onItsWay: false });
}

/**
 * Changes that preempt those under way. A stage that matches the plan may be changing to another target, so its planned
 * target is sent last.
 */
export function diffUnderWay(running: RunningPlan, plan: Plan, limits: ChangeLimits): readonly Change[] {
  const changes = arrangedChanges(running, plan, { bounds: changeBounds(limits), onItsWay: true });
  const told = new Set(changes.flatMap(({ kind, stageId }) => (restartsNothing(kind) ? [] : [stageId])));
  const others = Object.entries(plan.stages).flatMap(([id, [to]]): readonly Change[] => {
    const stageId = id as StageId;
    return to === undefined || told.has(stageId) ? [] : [{ kind: 'scale', stageId, fromReplicas: to.replicas, to }];
  });
  return [...changes, ...others];
}

function differences(running: RunningPlan, plan: Plan): readonly Change[] {
  return Object.entries(plan.stages).flatMap(([id, [target]]) =>
    target === undefined ? [] : stageChanges(id as StageId, running.stages[id as StageId], target),
  );
}

function inOrder(changes: readonly Change[]): readonly Change[] {
  return changes.toSorted((a, b) => Number(shrinks(a)) - Number(shrinks(b)) || ORDER[a.kind] - ORDER[b.kind]);
}

function stageChanges(stageId: StageId, running: RunningStage | undefined, to: StagePlan): readonly Change[] {
  const live = liveReplicas(running);
  const current = live.at(-1);
  if (to.replicas === 0) {
    const isOmitted = running?.omitted && live.length === 0;
    return isOmitted ? [] : [{ kind: 'switch-variant', stageId, fromVariantId: current?.variantId, to }];
  }
  if (running === undefined || current === undefined || current.variantId !== to.variantId) {
    return [{ kind: 'switch-variant', stageId, fromVariantId: current?.variantId, to }];
  }
  if (!live.every((replica) => isOfKind(replica, to))) {
    return [{ kind: 'set-resources', stageId, fromResources: current.resources, to }];
  }
  const sameBatch = running.maxBatchSize === to.maxBatchSize && running.maxBatchWaitMs === to.maxBatchWaitMs;
  return [
    ...(sameBatch ? [] : [{ kind: 'set-batch', stageId, to } as const]),
    ...(live.length === to.replicas ? [] : [{ kind: 'scale', stageId, fromReplicas: live.length, to } as const]),
    ...(running.threshold === to.threshold
      ? []
      : [{ kind: 'set-threshold', stageId, fromThreshold: running.threshold, to } as const]),
    ...(running.quorum === to.quorum ? [] : [{ kind: 'set-quorum', stageId, fromQuorum: running.quorum, to } as const]),
  ];
}

const restartsNothing = (kind: Change['kind']): boolean =>
  kind === 'set-batch' || kind === 'set-threshold' || kind === 'set-quorum';

function shrinks(change: Change): boolean {
  if (change.kind === 'scale') return change.to.replicas < change.fromReplicas;
  if (change.to.replicas === 0) return true;
  return change.kind === 'set-resources' && change.to.resources.cpuCores < change.fromResources.cpuCores;
}

/**
 * Orders changes so that each has headroom. Changes without any headroom come last and will be refused. If the running
 * plan is above the budget, its cores are the limit, unless `onItsWay`: then its excess counts as surge.
 */
function arrangedChanges(
  running: RunningPlan,
  plan: Plan,
  { bounds, onItsWay }: { readonly bounds: ChangeBounds; readonly onItsWay: boolean },
): readonly Change[] {
  const changes = inOrder(differences(running, plan));
  const replicas = new Map<StageId, readonly RunningReplica[]>();
  for (const [id, stage] of Object.entries(running.stages))
    replicas.set(id as StageId, stage.replicas.filter(({ status }) => status !== 'draining').map(asReady));
  const fromCores = onItsWay ? 0 : coresOf([...replicas.values()].flat().map(oneOf));
  const isNew = (id: StageId) => running.stages[id]?.omitted !== true && replicas.get(id)?.length === 0;
  const first = arranged(changes, replicas, { bounds, fromCores, isNew, growsIntoSurge: true });
  // If stages grow into the surge, later changes may lack headroom.
  const order =
    first.left.length === 0
      ? first.order
      : inOneRow(arranged(changes, replicas, { bounds, fromCores, isNew, growsIntoSurge: false }));
  return withOwnChoices(running, order);
}

/** Changes before that of the threshold or quorum keep the present one. */
function withOwnChoices(running: RunningPlan, order: readonly Change[]): readonly Change[] {
  return order.map((change, position): Change => {
    const { kind, stageId, to } = change;
    if (kind === 'switch-variant' || kind === 'set-resources') return change;
    const { threshold, quorum } = running.stages[stageId] ?? {};
    const follows = (later: Change['kind']): boolean =>
      order.slice(position + 1).some((other) => other.kind === later && other.stageId === stageId);
    const present = {
      ...(threshold !== undefined && follows('set-threshold') && { threshold }),
      ...(quorum !== undefined && follows('set-quorum') && { quorum }),
    };
    return Object.keys(present).length === 0 ? change : { ...change, to: { ...to, ...present } };
  });
}

interface Arranged {
  readonly order: readonly Change[];
  readonly left: readonly Change[];
}

const inOneRow = ({ order, left }: Arranged): readonly Change[] => [...order, ...left];

function arranged(changes: readonly Change[], running: ReplicasByStage, room: Room): Arranged {
  const replicas = new Map(running);
  const left = [...changes];
  const order: Change[] = [];
  let { fromCores } = room;
  for (;;) {
    fromCores = Math.min(fromCores, coresOf([...replicas.values()].flat().map(oneOf)));
    const place = left.findIndex((change) => hasRoom(change, replicas, { ...room, fromCores }));
    const [next] = place < 0 ? [] : left.splice(place, 1);
    if (next === undefined) return { order, left };
    order.push(next);
    if (!restartsNothing(next.kind)) replicas.set(next.stageId, replicasOf(next));
  }
}

interface Room {
  readonly bounds: ChangeBounds;
  readonly fromCores: number;
  /** True for a stage that never ran, whose first plan needs no headroom. */
  readonly isNew: (stageId: StageId) => boolean;
  /** True if a stage may use surge cores until others have shrunk. */
  readonly growsIntoSurge: boolean;
}

function hasRoom(
  { kind, stageId, to }: Change,
  replicas: ReplicasByStage,
  { bounds, fromCores, isNew, growsIntoSurge }: Room,
): boolean {
  const own = replicas.get(stageId) ?? [];
  if (restartsNothing(kind) || (own.length === 0 && isNew(stageId))) return true;
  const all = [...replicas.values()].flat();
  const inForce = all.map(oneOf);
  const heldByOthers = coresOf(inForce) - coresOf(own.map(oneOf));
  const mostAtRest = Math.max(bounds.budgetCpuCores, fromCores) + CORES_TOLERANCE;
  if (!growsIntoSurge && heldByOthers + to.replicas * to.resources.cpuCores > mostAtRest) return false;
  const cpuCores = coresDuringChange(bounds, { inForce, to, fromCores }) - heldByOthers;
  return reachesPlan({ replicas: own, to, cpuCores });
}

const oneOf = ({ resources }: RunningReplica) => ({ replicas: 1, resources });

function asReady(replica: RunningReplica): RunningReplica {
  return { ...replica, status: 'ready' };
}

function replicasOf({ stageId, to }: Change): readonly RunningReplica[] {
  const { variantId, resources } = to;
  return Array.from({ length: to.replicas }, (_, i) => ({
    replicaId: `${stageId}-${i}` as RunningReplica['replicaId'],
    ...{ variantId, resources, status: 'ready' },
  }));
}
