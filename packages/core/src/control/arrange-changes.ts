/**
 * Orders changes so that each has its headroom in its turn. A growing change waits for those that return cores. Between
 * two plans within the budget an order exists if there is headroom for one replica of the largest kind: shrinking
 * stages first.
 */
import type { Change } from '../model/change.js';
import type { StageId } from '../model/ids.js';
import type { RunningPlan, RunningReplica } from '../model/running-plan.js';
import { reachesPlan } from '../serve/fleet/stage-steps.js';
import { type ChangeBounds, CORES_TOLERANCE, coresDuringChange, coresOf } from '../serve/rollout/headroom.js';

type ReplicasByStage = ReadonlyMap<StageId, readonly RunningReplica[]>;

/**
 * The same changes. Those without headroom in any order come last and will be refused. The running plan may exceed the
 * budget, unless it is `onItsWay`: then the surge may be in it.
 */
export function arrangeChanges(
  changes: readonly Change[],
  running: RunningPlan,
  { bounds, onItsWay }: { readonly bounds: ChangeBounds; readonly onItsWay: boolean },
): readonly Change[] {
  const replicas = new Map<StageId, readonly RunningReplica[]>();
  for (const [id, stage] of Object.entries(running.stages))
    replicas.set(id as StageId, stage.replicas.filter(({ status }) => status !== 'draining').map(asReady));
  const fromCores = onItsWay ? 0 : coresOf([...replicas.values()].flat().map(oneOf));
  const first = arranged(changes, replicas, { bounds, fromCores, growsIntoSurge: true });
  // Growth into the surge may leave no headroom for later changes.
  return first.left.length === 0
    ? first.order
    : inOneRow(arranged(changes, replicas, { bounds, fromCores, growsIntoSurge: false }));
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
    if (next.kind !== 'set-batch') replicas.set(next.stageId, replicasOf(next));
  }
}

interface Room {
  readonly bounds: ChangeBounds;
  readonly fromCores: number;
  /** May a stage keep its share of the surge until others have shrunk? */
  readonly growsIntoSurge: boolean;
}

function hasRoom(
  { kind, stageId, to }: Change,
  replicas: ReplicasByStage,
  { bounds, fromCores, growsIntoSurge }: Room,
): boolean {
  const own = replicas.get(stageId) ?? [];
  if (kind === 'set-batch' || own.length === 0) return true;
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
