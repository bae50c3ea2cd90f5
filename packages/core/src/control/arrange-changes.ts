/**
 * Puts changes in an order in which each has the room that it needs when its turn comes. A change that grows waits for those that give
 * cores back; where there is room, the given order stays. Between two plans within the budget, and with room for one replica of the
 * largest kind beyond it, such an order always exists: first the stages that shrink, each of which fits beside the others, then those
 * that grow, each of which ends within the new plan.
 */
import type { Change } from '../model/change.js';
import type { StageId } from '../model/ids.js';
import type { RunningPlan, RunningReplica } from '../model/running-plan.js';
import { type ChangeBounds, coresDuringChange, leadsThrough } from '../serve/fleet/change-room.js';

type ReplicasByStage = ReadonlyMap<StageId, readonly RunningReplica[]>;

/** The same changes; those for which no order gives room come last, and will be refused. */
export function arrangeChanges(
  changes: readonly Change[],
  running: RunningPlan,
  bounds: ChangeBounds,
): readonly Change[] {
  const replicas = new Map<StageId, readonly RunningReplica[]>();
  for (const [id, stage] of Object.entries(running.stages))
    replicas.set(id as StageId, stage.replicas.filter(({ status }) => status !== 'draining').map(asReady));
  const waiting = [...changes];
  const arranged: Change[] = [];
  for (;;) {
    const place = waiting.findIndex((change) => hasRoom(change, replicas, bounds));
    const [next] = place < 0 ? [] : waiting.splice(place, 1);
    if (next === undefined) return [...arranged, ...waiting];
    arranged.push(next);
    if (next.kind !== 'set-batch') replicas.set(next.stageId, replicasOf(next));
  }
}

function hasRoom({ kind, stageId, to }: Change, replicas: ReplicasByStage, bounds: ChangeBounds): boolean {
  const own = replicas.get(stageId) ?? [];
  if (kind === 'set-batch' || own.length === 0) return true;
  const all = [...replicas.values()].flat();
  const inForce = all.map(({ resources }) => ({ replicas: 1, resources }));
  const heldByOthers = all.reduce((sum, { resources }) => sum + resources.cpuCores, 0) - coresOf(own);
  return leadsThrough({ replicas: own, to, cpuCores: coresDuringChange(bounds, inForce, to) - heldByOthers });
}

function coresOf(replicas: readonly RunningReplica[]): number {
  return replicas.reduce((sum, { resources }) => sum + resources.cpuCores, 0);
}

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
