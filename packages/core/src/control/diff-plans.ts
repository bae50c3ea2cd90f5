/**
 * Changes that turn the actual replicas into the desired ones, in the order to apply them. Growth comes before
 * shrinking unless it needs that headroom. No stage gets two changes that restart replicas.
 */
import type { Change } from '../model/change.js';
import type { StageId } from '../model/ids.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { isOfKind, liveReplicas, type RunningPlan, type RunningStage } from '../model/running-plan.js';
import type { ChangeBounds } from '../serve/rollout/headroom.js';
import { arrangeChanges } from './arrange-changes.js';

const ORDER: Readonly<Record<Change['kind'], number>> = {
  'set-batch': 0,
  scale: 1,
  'switch-variant': 2,
  'set-resources': 3,
};

/**
 * Changes from `running` to `plan`, within the headroom of `bounds`. Starting and ready replicas count; draining and
 * failed ones do not.
 */
export function diffPlans(running: RunningPlan, plan: Plan, bounds: ChangeBounds): readonly Change[] {
  return arrangeChanges(inOrder(differences(running, plan)), running, { bounds, onItsWay: false });
}

/**
 * Changes that preempt others under way. A stage without a difference may be changing to another plan, so each is told
 * its target, those last.
 */
export function diffUnderWay(running: RunningPlan, plan: Plan, bounds: ChangeBounds): readonly Change[] {
  const changes = arrangeChanges(inOrder(differences(running, plan)), running, { bounds, onItsWay: true });
  const told = new Set(changes.flatMap(({ kind, stageId }) => (kind === 'set-batch' ? [] : [stageId])));
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
  ];
}

function shrinks(change: Change): boolean {
  if (change.kind === 'scale') return change.to.replicas < change.fromReplicas;
  return change.kind === 'set-resources' && change.to.resources.cpuCores < change.fromResources.cpuCores;
}
