/**
 * Next steps of a stage toward its plan, derived from its initial and present replicas. They are level-triggered, so a
 * crash during a change needs no special case.
 *
 * Make before break: replicas of other kinds leave by the rule of `rollout/share.ts`. Batching and drop rule switch
 * when at least as large a fraction of the new kind serves as of the old kinds. Starts only use the headroom. If it is
 * too small for the rule, only a minimum count holds: as many ready replicas as the smaller plan has.
 */
import type { ReplicaId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import { isOfKind, type ReplicaKind, type RunningReplica } from '../../model/running-plan.js';
import { startableReplicas } from '../rollout/headroom.js';
import { newReplicasFor, oldReplicasByShare, replicasByCount } from '../rollout/share.js';

export interface ReadyCounts {
  readonly fitting: number;
  readonly others: number;
  /** Other ready replicas by kind. After a preempted change there may be several kinds, with different capacities. */
  readonly othersByKind: readonly { readonly kind: ReplicaKind; readonly ready: number }[];
}

export const noneReady: ReadyCounts = { fitting: 0, others: 0, othersByKind: [] };

/** A changing stage: replicas (oldest first), target, and ready counts at the beginning. */
export interface StageOnItsWay {
  readonly replicas: readonly RunningReplica[];
  readonly to: StagePlan;
  readonly before: ReadyCounts;
  readonly adopted: boolean;
  /** True if requests skip the stage until it is adopted. */
  readonly omitted?: boolean;
}

/** `comesFree`: more may become free when a replica has left or started. */
export interface StartHeadroom {
  readonly cpuCores: number;
  readonly starts: number;
  readonly comesFree: boolean;
}

/** Steps to take now, in order. Failed replicas keep their place until they are forgotten. */
export interface StageSteps {
  readonly forget: readonly ReplicaId[];
  readonly discard: readonly ReplicaId[];
  readonly start: number;
  readonly adopt: boolean;
  readonly drain: readonly ReplicaId[];
  /** `arrived`: only drains remain. `no-room`: the headroom allows no step. */
  readonly state: 'under-way' | 'arrived' | 'no-room';
}

export function readyCounts(replicas: readonly RunningReplica[], to: ReplicaKind): ReadyCounts {
  const ready = replicas.filter(({ status }) => status === 'ready');
  const others = ready.filter((replica) => !isOfKind(replica, to));
  const kinds = others.filter((kind, i) => others.findIndex((other) => isOfKind(other, kind)) === i);
  const othersByKind = kinds.map((kind) => ({ kind, ready: others.filter((other) => isOfKind(other, kind)).length }));
  return { fitting: ready.length - others.length, others: others.length, othersByKind };
}

/**
 * Steps toward a canary that gets a fraction of the requests. Old replicas leave only to free cores: one at a time, by
 * the share rule.
 */
export function canarySteps(
  stage: StageOnItsWay,
  headroom: StartHeadroom,
  { target, mayDrain }: { readonly target: number; readonly mayDrain: boolean },
): StageSteps {
  const replicas = newReplicasFor(target, stage.to.replicas);
  const places = placesOf({ ...stage, to: { ...stage.to, replicas } });
  const { start, isStuck } = startsNow(places.kept.length, { ...stage.to, replicas }, headroom);
  const drain = isStuck && mayDrain ? spareOthers(stage, places).slice(0, 1) : [];
  const isReady = places.ready >= replicas;
  return {
    forget: ids(places.forgotten),
    discard: ids(places.discarded),
    start,
    adopt: false,
    drain: ids(drain),
    state: isReady ? 'arrived' : isStuck && drain.length === 0 ? 'no-room' : 'under-way',
  };
}

interface StartsNow {
  readonly start: number;
  readonly isStuck: boolean;
}

function startsNow(present: number, to: StagePlan, { cpuCores, starts, comesFree }: StartHeadroom): StartsNow {
  const missing = to.replicas - present;
  const start = Math.max(0, Math.min(missing, starts, startableReplicas(cpuCores, to.resources.cpuCores)));
  return { start, isStuck: missing > 0 && start === 0 && !comesFree };
}

export function stageSteps(stage: StageOnItsWay, room: StartHeadroom): StageSteps {
  const { to } = stage;
  const places = placesOf(stage);
  const { kept, others, surplus } = places;
  const missing = to.replicas - kept.length;
  const { start, isStuck: stuck } = startsNow(kept.length, to, room);
  const shared = spareOthers(stage, places);
  const spare = shared.length === 0 && stuck ? spareByCount(stage, places) : shared;
  const leaving = [...spare, ...surplus];
  const arrived =
    missing <= 0 && others.length + surplus.length === 0 && !kept.some(({ status }) => status === 'starting');
  return {
    forget: ids(places.forgotten),
    discard: ids(places.discarded),
    start,
    adopt: !stage.adopted && carriesEnough(stage, places.ready, others.length - spare.length),
    drain: ids(leaving),
    state: arrived ? 'arrived' : stuck && leaving.length === 0 ? 'no-room' : 'under-way',
  };
}

interface Places {
  /** Replicas of the plan: ready, starting or failed. */
  readonly kept: readonly RunningReplica[];
  readonly ready: number;
  readonly surplus: readonly RunningReplica[];
  readonly others: readonly RunningReplica[];
  readonly discarded: readonly RunningReplica[];
  readonly forgotten: readonly RunningReplica[];
}

function placesOf({ replicas, to }: StageOnItsWay): Places {
  const having = (status: RunningReplica['status']) => replicas.filter((replica) => replica.status === status);
  const fits = (replica: RunningReplica) => isOfKind(replica, to);
  const ready = having('ready').filter(fits);
  const candidates = [...ready, ...having('starting').filter(fits), ...having('failed').filter(fits)];
  const kept = candidates.slice(0, to.replicas);
  const isKept = new Set(kept);
  return {
    kept,
    ready: Math.min(ready.length, to.replicas),
    surplus: ready.slice(to.replicas),
    others: having('ready').filter((replica) => !fits(replica)),
    discarded: having('starting').filter((replica) => !isKept.has(replica)),
    forgotten: having('failed').filter((replica) => !isKept.has(replica)),
  };
}

/** Replicas of other kinds that the share rule allows to leave. */
function spareOthers({ to, before }: StageOnItsWay, { others, ready }: Places): readonly RunningReplica[] {
  if (ready >= to.replicas) return others;
  return before.othersByKind.flatMap(({ kind, ready: oldAtStart }) => {
    const ofKind = others.filter((other) => isOfKind(other, kind));
    const needed = oldReplicasByShare({ oldAtStart, newAtStart: before.fitting, newWanted: to.replicas }, ready);
    return ofKind.slice(0, Math.max(0, ofKind.length - needed));
  });
}

/** One replica of another kind, if the minimum count allows it to leave. */
function spareByCount({ to, before }: StageOnItsWay, { others, ready }: Places): readonly RunningReplica[] {
  const { fitting: newAtStart, others: oldAtStart } = before;
  const floor = replicasByCount({ oldAtStart, newAtStart, newWanted: to.replicas });
  return others.length - 1 + ready >= floor ? others.slice(0, 1) : [];
}

/**
 * True if (ready ÷ wanted replicas of the new kind) is at least (`staying` ÷ initial replicas of other kinds). An omitted
 * stage begins with all its replicas.
 */
function carriesEnough({ to, before, omitted = false }: StageOnItsWay, ready: number, staying: number): boolean {
  if (ready === 0 || omitted) return ready >= to.replicas;
  return ready / to.replicas >= (before.others === 0 ? 0 : staying / before.others);
}

function ids(replicas: readonly RunningReplica[]): readonly ReplicaId[] {
  return replicas.map(({ replicaId }) => replicaId);
}

export interface PlannedSteps {
  readonly replicas: readonly RunningReplica[];
  readonly to: StagePlan;
  readonly cpuCores: number;
}

/** True if the steps reach the plan within the headroom, given that every start succeeds. */
export function reachesPlan({ replicas, to, cpuCores }: PlannedSteps): boolean {
  const before = readyCounts(replicas, to);
  let present = replicas.filter(({ status }) => status === 'ready');
  for (let started = 0; ; started++) {
    const heldCores = present.reduce((sum, { resources }) => sum + resources.cpuCores, 0);
    const headroom = { cpuCores: cpuCores - heldCores, starts: 1, comesFree: false };
    const { start, drain, state } = stageSteps({ replicas: present, to, before, adopted: true }, headroom);
    if (state !== 'under-way') return state === 'arrived';
    present = present.filter(({ replicaId }) => !drain.includes(replicaId));
    if (start > 0) present.push(readyReplica(to, started));
  }
}

function readyReplica({ variantId, resources }: StagePlan, number: number): RunningReplica {
  return { replicaId: `planned-${number}` as RunningReplica['replicaId'], variantId, resources, status: 'ready' };
}
