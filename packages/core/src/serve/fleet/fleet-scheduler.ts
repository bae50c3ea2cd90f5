/**
 * Decides, without I/O, which replicas of a pipeline to start, serve, drain and restart, and when a change is done or
 * has failed.
 *
 * Changes run one after another. A failed start ends its change: the stage returns to its previous plan or, if it only
 * grew, keeps the started replicas. A lost replica is restarted after a back-off, as often as needed. After preemption
 * a stage continues alone to its target or to that of a later change. Protocol: pass every event with a clock that
 * never goes back. Effects are called synchronously and may call back.
 */
import { invariant } from '../../kernel/invariant.js';
import type { Change } from '../../model/change.js';
import type { ReplicaId, StageId, StageVariant } from '../../model/ids.js';
import type { Plan, StagePlan } from '../../model/plan.js';
import { type HealthIssue, isOfKind, type RunningPlan, type RunningStage } from '../../model/running-plan.js';
import { canaryFractions } from '../rollout/canary.js';
import { coresDuringChange, coresOf, startableReplicas } from '../rollout/headroom.js';
import { newReplicasFor } from '../rollout/share.js';
import { closingError, noHeadroom, tooSlow } from './change-errors.js';
import { FleetCanaries } from './fleet-canaries.js';
import type { ChangeEnd, FleetEffects, FleetLimits } from './fleet-effects.js';
import { type FleetReplica, FleetStage } from './fleet-stage.js';
import { canarySteps, reachesPlan, type StageSteps, stageSteps } from './stage-steps.js';

interface QueuedChange {
  readonly change: Change;
  readonly onEnd: (end: ChangeEnd) => void;
}

interface ActiveChange extends QueuedChange {
  readonly stage: FleetStage;
  readonly previous: StagePlan | undefined;
  /** Deadline of all starts; Infinity if none applies. */
  startsEndAtMs: number;
  failure?: { readonly cause: unknown };
}

export class FleetScheduler {
  readonly #limits: FleetLimits;
  readonly #effects: FleetEffects;
  readonly #stages: ReadonlyMap<StageId, FleetStage>;
  readonly #canaries: FleetCanaries;
  readonly #stageOf = new Map<ReplicaId, FleetStage>();
  readonly #waiting: QueuedChange[] = [];
  #active: ActiveChange | undefined;
  /** Minimum cores of the plans in force since the changes began. May exceed a lowered budget. */
  #fromCores = 0;
  #onClosed: (() => void) | undefined;
  #nowMs = 0;
  #settling = false;
  #unseen = false;

  constructor(stageIds: readonly StageId[], limits: FleetLimits, effects: FleetEffects) {
    this.#limits = limits;
    this.#effects = effects;
    this.#stages = new Map(stageIds.map((id) => [id, new FleetStage(id)]));
    this.#canaries = new FleetCanaries(limits, effects, {
      retire: (stage, id) => this.#retire(stage, id),
      giveUp: (stage, failure) => this.#giveUp(stage, failure),
      setStartsEnd: (stage, atMs) => this.#setStartsEnd(stage, atMs),
      markDirty: () => {
        this.#unseen = true;
      },
    });
  }

  get changing(): boolean {
    return this.#active !== undefined || this.#waiting.length > 0;
  }

  /** Maximum cores that replicas may hold without the surge. */
  get limitCores(): number {
    return Math.max(this.#limits.budgetCpuCores, this.#fromCores);
  }

  /** Time of the next necessary call of `advance`; Infinity if none. */
  get nextWakeAtMs(): number {
    let soonestMs = this.#active?.startsEndAtMs ?? Number.POSITIVE_INFINITY;
    for (const stage of this.#stages.values()) {
      soonestMs = Math.min(soonestMs, stage.retryAtMs, stage.aloneEndsAtMs, stage.canary?.lookAtMs ?? soonestMs);
      for (const { overdue, patienceEndsAtMs } of stage.replicas.values()) {
        if (!overdue) soonestMs = Math.min(soonestMs, patienceEndsAtMs);
      }
    }
    return soonestMs;
  }

  runningPlan(): RunningPlan {
    const stages: Record<StageId, RunningStage> = {};
    for (const [id, stage] of this.#stages) stages[id] = stage.running(this.#nowMs);
    return { stages };
  }

  /** Puts a whole plan in service at once, without starts, to begin a simulation. */
  field({ stages }: Pick<Plan, 'stages'>): void {
    for (const stage of this.#stages.values()) {
      const plan = stages[stage.id]?.[0];
      invariant(plan !== undefined, `the plan has nothing for stage ${stage.id}`);
      stage.headFor(plan);
      for (let i = 0; i < plan.replicas; i++) {
        const replica = this.#register(stage, 'ready');
        replica.readyAtMs = this.#nowMs;
        this.#effects.serve(stage.id, replica);
      }
      this.#adopt(stage, plan);
    }
    this.#fromCores = coresOf(this.#plansInForce());
  }

  /** Call after the limits have changed. Plans in force and under way keep their headroom. */
  limitsChanged(nowMs: number): void {
    let cores = 0;
    for (const stage of this.#stages.values()) {
      const plans = [stage.target, stage.comesFrom, this.#active?.stage === stage ? this.#active.previous : undefined];
      cores += Math.max(...plans.map((plan) => (plan === undefined ? 0 : coresOf([plan]))));
    }
    this.#fromCores = Math.max(this.#fromCores, cores);
    this.#settle(nowMs);
  }

  /** Accepts a change. Calls `onEnd` once, perhaps before `apply` returns. */
  apply(change: Change, nowMs: number, onEnd: (end: ChangeEnd) => void): void {
    this.#stage(change.stageId);
    if (this.#onClosed === undefined) this.#waiting.push({ change, onEnd });
    else onEnd({ kind: 'failed', failure: closingError(change.stageId) });
    this.#settle(nowMs);
  }

  /**
   * Ends running and waiting changes at once for a more urgent one. The stage continues alone, but starts nothing while
   * a change runs. If a start fails, the stage turns back.
   */
  preempt(nowMs: number): void {
    const active = this.#active;
    const waiting = this.#waiting.splice(0);
    this.#active = undefined;
    if (active?.failure !== undefined) {
      active.stage.settleAlone();
      active.onEnd({ kind: 'failed', failure: active.failure.cause });
    } else if (active !== undefined) {
      active.stage.goOnAlone(active.previous, active.startsEndAtMs);
      active.onEnd({ kind: 'gave-way' });
    }
    for (const { onEnd } of waiting) onEnd({ kind: 'gave-way' });
    this.#settle(nowMs);
  }

  /**
   * Ends canaries without a verdict and preempts the running change; the previous variants serve. With `pinned`, ends
   * only a canary that contradicts that pin. True if one ended.
   */
  endCanary(nowMs: number, pinned?: StageVariant): boolean {
    const ending = [...this.#stages.values()].filter(({ id, canary, target }) => {
      const isPinned = pinned !== undefined && (id !== pinned.stageId || target?.variantId === pinned.variantId);
      return canary !== undefined && !isPinned;
    });
    if (ending.length === 0) return false;
    this.preempt(nowMs);
    for (const stage of ending) {
      this.#canaries.drop(stage);
      stage.cancelAlone(nowMs);
    }
    this.#settle(nowMs);
    return true;
  }

  started(id: ReplicaId, nowMs: number): void {
    const { stage, replica } = this.#find(id);
    invariant(stage !== undefined && replica?.launching === true, `replica ${id} was being started`);
    replica.launching = false;
    if (replica.status === 'draining') this.#effects.discard(stage.id, replica);
    else {
      replica.status = 'ready';
      replica.readyAtMs = nowMs;
      if (!replica.forChange) stage.restartEnded(nowMs);
      this.#effects.serve(stage.id, replica);
    }
    this.#settle(nowMs);
  }

  startFailed(id: ReplicaId, failure: unknown, nowMs: number): void {
    const { stage, replica } = this.#find(id);
    invariant(stage !== undefined && replica?.launching === true, `replica ${id} was being started`);
    this.#remove(stage, id);
    if (replica.status === 'starting') {
      if (replica.forChange && this.#active?.stage === stage) this.#abort(this.#active, failure, nowMs);
      else {
        stage.restartEnded(nowMs);
        this.#canaries.drop(stage);
        if (replica.forChange && stage.isOnItsOwn) stage.turnBackAlone(nowMs);
        else stage.markMissing(nowMs);
        this.#effects.restartFailed(stage.id, failure);
      }
    }
    this.#settle(nowMs);
  }

  /** Reports a lost replica; true if it belongs to the fleet. */
  lost(id: ReplicaId, nowMs: number): boolean {
    const { stage, replica } = this.#find(id);
    if (stage === undefined || replica === undefined) return false;
    this.#nowMs = nowMs;
    this.#remove(stage, id);
    if (replica.status === 'ready' && stage.canary !== undefined) this.#canaries.lose(stage, replica);
    else if (replica.status === 'ready' && stage.target !== undefined && isOfKind(replica, stage.target)) {
      stage.markLost(replica, nowMs);
    }
    this.#settle(nowMs);
    return true;
  }

  /**
   * Closes a running replica for good. After a hang it is replaced at once, because an input may be the cause;
   * otherwise after the back-off.
   */
  unhealthy(id: ReplicaId, trouble: HealthIssue, nowMs: number): void {
    this.#nowMs = nowMs;
    const { stage, replica } = this.#find(id);
    if (stage === undefined || replica?.status !== 'ready') return;
    const retired = this.#retire(stage, id);
    const hasHung = trouble === 'hung';
    // The replica may never leave, so no change waits for its cores.
    retired.overdue = hasHung;
    this.#effects.drain(stage.id, retired);
    if (stage.canary !== undefined) this.#canaries.lose(stage, replica);
    else if (!hasHung && stage.target !== undefined && isOfKind(replica, stage.target)) stage.markLost(replica, nowMs);
    this.#settle(nowMs);
  }

  /** Drains a ready replica for good, without a replacement: its server leaves. */
  release(id: ReplicaId, nowMs: number): void {
    this.#nowMs = nowMs;
    const { stage, replica } = this.#find(id);
    if (stage === undefined || replica?.status !== 'ready') return;
    stage.shrink();
    this.#effects.drain(stage.id, this.#retire(stage, id));
    this.#settle(nowMs);
  }

  /**
   * Starts a replacement next to a replica whose batch may hang, if bounds and headroom allow. The replacement leaves
   * when the batch ends.
   */
  runsLate(id: ReplicaId, isLate: boolean, nowMs: number): void {
    const { stage, replica } = this.#find(id);
    if (stage === undefined) return;
    if (isLate && replica?.status === 'ready') stage.late.add(id);
    else stage.late.delete(id);
    this.#settle(nowMs);
  }

  left(id: ReplicaId, nowMs: number): void {
    const { stage } = this.#find(id);
    if (stage === undefined) return;
    this.#remove(stage, id);
    this.#settle(nowMs);
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const stage of this.#stages.values()) this.#advanceStage(stage, nowMs);
    if (this.#active !== undefined && this.#active.startsEndAtMs <= nowMs) this.#endStarts(this.#active, nowMs);
    this.#settle(nowMs);
  }

  #advanceStage(stage: FleetStage, nowMs: number): void {
    if (stage.retryAtMs <= nowMs) stage.forgetFailed();
    if (stage.aloneEndsAtMs <= nowMs) {
      this.#canaries.drop(stage);
      stage.endAloneStarts(nowMs);
    }
    this.#canaries.look(stage, nowMs);
    for (const replica of stage.replicas.values()) if (replica.patienceEndsAtMs <= nowMs) replica.overdue = true;
  }

  /**
   * Refuses waiting changes, fails those with a canary, awaits the running change, drains all, then calls `onClosed`.
   */
  close(nowMs: number, onClosed: () => void): void {
    this.#onClosed = onClosed;
    for (const { change, onEnd } of this.#waiting.splice(0))
      onEnd({ kind: 'failed', failure: closingError(change.stageId) });
    this.#nowMs = nowMs;
    for (const stage of this.#stages.values()) {
      if (stage.canary !== undefined) this.#giveUp(stage, closingError(stage.id));
    }
    this.#settle(nowMs);
  }

  #settle(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#unseen = true;
    if (this.#settling) return;
    this.#settling = true;
    while (this.#unseen) {
      this.#unseen = false;
      for (const stage of this.#stages.values()) stage.noteArrival();
      this.#beginNext();
      for (const stage of this.#stages.values()) this.#step(stage);
      this.#endActive();
      if (this.#onClosed !== undefined && this.#active === undefined) this.#shut(this.#onClosed);
    }
    this.#settling = false;
  }

  #beginNext(): void {
    if (this.#active !== undefined) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    const stage = this.#stage(next.change.stageId);
    const { kind } = next.change;
    if (kind === 'set-batch' || kind === 'set-threshold' || kind === 'set-quorum') this.#tune(stage, next);
    else if (this.#hasRoom(stage, next.change.to)) this.#begin(stage, next);
    else if (!this.#isOneOnItsOwn(stage)) {
      this.#take();
      next.onEnd({ kind: 'failed', failure: noHeadroom(stage.id, next.change.to) });
    }
  }

  #take(): void {
    this.#waiting.shift();
    this.#unseen = true;
  }

  #tune(stage: FleetStage, { change: { to }, onEnd }: QueuedChange): void {
    this.#take();
    if (stage.canary === undefined || (stage.target !== undefined && isOfKind(to, stage.target))) stage.tune(to);
    else stage.tuneBefore(to);
    // The batching of a canary is adopted when the lanes merge.
    if (stage.canary === undefined || stage.serving?.variantId === to.variantId) this.#adopt(stage, to);
    onEnd({ kind: 'done' });
  }

  #begin(stage: FleetStage, next: QueuedChange): void {
    const { change } = next;
    const isTried = this.#isTried(stage, change);
    // One canary is open at a time.
    if (isTried && [...this.#stages.values()].some((other) => other !== stage && other.canary !== undefined)) return;
    this.#take();
    const previous = stage.comesFrom;
    this.#active = { ...next, stage, previous, startsEndAtMs: this.#nowMs + this.#limits.maxSurgeMs };
    if (stage.target === undefined) this.#fromCores = Math.max(this.#fromCores, coresOf(this.#plansInForce()));
    stage.forgetFailed();
    this.#canaries.endOther(stage, change);
    stage.headFor(change.to);
    if (isTried && stage.canary === undefined) this.#canaries.begin(stage, change);
  }

  #hasRoom(stage: FleetStage, to: StagePlan): boolean {
    if (stage.target === undefined) return true;
    const cpuCores = this.#mostCores(to) - this.#heldCores() + stage.heldCores;
    return reachesPlan({ replicas: stage.all(), to, cpuCores });
  }

  /** True if a stage other than `but` changes alone, so that headroom may become free. */
  #isOneOnItsOwn(but?: FleetStage): boolean {
    return [...this.#stages.values()].some((stage) => stage !== but && stage.isOnItsOwn);
  }

  #step(stage: FleetStage): void {
    const { target, before, adopted } = stage;
    if (target === undefined) return;
    const launching = this.#count(({ launching: is }) => is);
    const leaving = this.#count(({ status, overdue }) => status === 'draining' && !overdue);
    const limitCores = this.#mostCores(this.#active?.change.to);
    // The headroom belongs to the running change.
    const waits = stage.isOnItsOwn && this.#active !== undefined;
    const to = { ...target, replicas: target.replicas + this.#spares(stage, target) };
    const present = { replicas: stage.all(), to, before, adopted, omitted: stage.isOmitted };
    const headroom = {
      cpuCores: limitCores - this.#heldCores(),
      starts: waits ? 0 : this.#limits.startConcurrency - launching,
      comesFree: waits || launching + leaving > 0,
    };
    const { canary } = stage;
    const steps = canary ? canarySteps(present, headroom, canary) : stageSteps(present, headroom);
    this.#noteState(stage, target, steps.state);
    for (const id of steps.forget) this.#remove(stage, id);
    for (const id of steps.discard) this.#retire(stage, id);
    for (let i = 0; i < steps.start; i++) this.#effects.start(stage.id, this.#register(stage, 'starting'));
    if (steps.adopt) this.#adopt(stage, target);
    for (const id of steps.drain) this.#drain(stage, id);
    if (steps.start + steps.drain.length + steps.discard.length + steps.forget.length > 0) this.#unseen = true;
  }

  /**
   * Has a replica leave. If new requests still visit its omitted stage, it serves until a later change, which may use its
   * cores at once: to wait for it would be in vain.
   */
  #drain(stage: FleetStage, id: ReplicaId): void {
    const replica = this.#retire(stage, id);
    replica.overdue = stage.isOmitted && !this.#effects.isSkipped(stage.id);
    this.#effects.drain(stage.id, replica);
  }

  #noteState(stage: FleetStage, target: StagePlan, state: StageSteps['state']): void {
    const { canary } = stage;
    const hasBegun = canary !== undefined && (state !== 'no-room' || canary.fraction > 0);
    if (hasBegun) this.#canaries.follow(stage, { state, nowMs: this.#nowMs });
    else if (state === 'no-room') this.#stop(stage, target);
    else stage.lacksHeadroom = false;
  }

  /** Additional replicas: replacements of replicas that may hang. */
  #spares(stage: FleetStage, { replicas }: StagePlan): number {
    if (stage.late.size === 0 || this.#active?.stage === stage || stage.isOnItsOwn || stage.canary !== undefined)
      return 0;
    const most = this.#limits.mostReplicas?.get(stage.id) ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(stage.late.size, most - replicas));
  }

  /** True if a change starts a variant that needs a canary, with enough headroom for the first step. */
  #isTried(stage: FleetStage, { atOnce, to }: Change): boolean {
    const { canary } = this.#limits;
    if (atOnce === true || to.replicas === 0 || canary?.stages.has(stage.id) !== true || stage.served.has(to.variantId))
      return false;
    if (!stage.all().some(({ status, variantId }) => status === 'ready' && variantId !== to.variantId)) return false;
    const first = newReplicasFor(canaryFractions[0] ?? 1, to.replicas);
    const free = this.#mostCores(to) - this.#heldCores() + this.#leavingCores(stage);
    return startableReplicas(free, to.resources.cpuCores) >= first;
  }

  /** Cores of leaving replicas, and of the stage's canary, which the next change continues or ends. */
  #leavingCores(changing: FleetStage): number {
    const inCanary = changing.canary === undefined ? undefined : changing.target;
    const leaves = ({ status, overdue, ...kind }: FleetReplica, stage: FleetStage) =>
      status === 'draining' ? !overdue : stage === changing && inCanary !== undefined && isOfKind(kind, inCanary);
    let cores = 0;
    for (const stage of this.#stages.values())
      for (const replica of stage.replicas.values()) if (leaves(replica, stage)) cores += replica.resources.cpuCores;
    return cores;
  }

  /** Fails the stage's change (running, or continued alone) and its canary. */
  #giveUp(stage: FleetStage, failure: unknown): void {
    if (this.#active?.stage === stage) {
      this.#abort(this.#active, failure, this.#nowMs);
      return;
    }
    this.#canaries.drop(stage);
    stage.turnBackAlone(this.#nowMs);
    this.#effects.restartFailed(stage.id, failure);
    this.#unseen = true;
  }

  #setStartsEnd(stage: FleetStage, atMs: number): void {
    if (this.#active?.stage === stage) this.#active.startsEndAtMs = atMs;
    else if (stage.isOnItsOwn) stage.aloneEndsAtMs = atMs;
  }

  #stop(stage: FleetStage, target: StagePlan): void {
    if (this.#active?.stage === stage && this.#active.failure === undefined)
      this.#abort(this.#active, noHeadroom(stage.id, target), this.#nowMs);
    if (!stage.isOnItsOwn) {
      // Replacing a late replica is optional.
      if (this.#active?.stage === stage || stage.lacksHeadroom || stage.late.size > 0) return;
      stage.lacksHeadroom = true;
      this.#effects.restartFailed(stage.id, noHeadroom(stage.id, target));
      return;
    }
    this.#canaries.drop(stage);
    stage.stopAlone(this.#nowMs);
    this.#unseen = true;
  }

  #endStarts(active: ActiveChange, nowMs: number): void {
    active.startsEndAtMs = Number.POSITIVE_INFINITY;
    if (active.stage.hasArrived) return;
    this.#abort(active, tooSlow(active.change.stageId, this.#limits.maxSurgeMs), nowMs);
  }

  #endActive(): void {
    const active = this.#active;
    if (active === undefined) return;
    const { stage, failure, onEnd } = active;
    if (stage.unsettled || (failure === undefined && !stage.hasArrived)) return;
    this.#active = undefined;
    this.#unseen = true;
    if (!this.#isOneOnItsOwn()) this.#fromCores = Math.min(this.#fromCores, coresOf(this.#plansInForce()));
    onEnd(failure === undefined ? { kind: 'done' } : { kind: 'failed', failure: failure.cause });
  }

  /** Cancels the change: the stage returns to its previous plan, or keeps additional replicas. */
  #abort(active: ActiveChange, failure: unknown, nowMs: number): void {
    active.failure ??= { cause: failure };
    this.#canaries.drop(active.stage);
    active.startsEndAtMs = Number.POSITIVE_INFINITY;
    active.stage.turnBack(active.previous, nowMs);
    this.#unseen = true;
  }

  #shut(onClosed: () => void): void {
    for (const stage of this.#stages.values()) {
      stage.headFor(undefined);
      stage.forgetFailed();
      for (const { replicaId: id, status } of stage.all()) {
        if (status === 'starting') this.#retire(stage, id);
        if (status === 'ready') this.#effects.drain(stage.id, this.#retire(stage, id));
      }
    }
    if (this.#stageOf.size > 0) return;
    this.#unseen = false;
    onClosed();
  }

  #adopt(stage: FleetStage, to: StagePlan): void {
    stage.serving = to;
    stage.served.add(to.variantId);
    this.#effects.adopt(stage.id, to);
  }

  #register(stage: FleetStage, status: 'starting' | 'ready'): FleetReplica {
    invariant(stage.target !== undefined, `stage ${stage.id} has a plan`);
    const replica = stage.register(stage.target, status, this.#active?.stage === stage || stage.isOnItsOwn);
    replica.startedAtMs = this.#nowMs;
    this.#stageOf.set(replica.replicaId, stage);
    return replica;
  }

  #retire(stage: FleetStage, id: ReplicaId): FleetReplica {
    stage.late.delete(id);
    const replica = stage.replicas.get(id);
    invariant(replica !== undefined, `replica ${id} is in the fleet`);
    replica.status = 'draining';
    if (!replica.launching) replica.patienceEndsAtMs = this.#nowMs + this.#limits.drainPatienceMs;
    return replica;
  }

  #remove(stage: FleetStage, id: ReplicaId): void {
    stage.late.delete(id);
    stage.replicas.delete(id);
    this.#stageOf.delete(id);
  }

  #find(id: ReplicaId): { readonly stage: FleetStage | undefined; readonly replica: FleetReplica | undefined } {
    const stage = this.#stageOf.get(id);
    return { stage, replica: stage?.replicas.get(id) };
  }

  #mostCores(to: StagePlan | undefined): number {
    return coresDuringChange(this.#limits, { inForce: this.#plansInForce(), to, fromCores: this.#fromCores });
  }

  /** Plans by stage. The first plan of a stage counts at once, because no change frees headroom for it. */
  #plansInForce(): readonly StagePlan[] {
    return [...this.#stages.values()].flatMap((stage) => {
      const plan = this.#active?.stage === stage ? (this.#active.previous ?? this.#active.change.to) : stage.target;
      return plan === undefined ? [] : [plan];
    });
  }

  #heldCores(): number {
    let cores = 0;
    for (const stage of this.#stages.values()) cores += stage.heldCores;
    return cores;
  }

  #count(is: (replica: FleetReplica) => boolean): number {
    let count = 0;
    for (const stage of this.#stages.values()) for (const replica of stage.replicas.values()) if (is(replica)) count++;
    return count;
  }

  #stage(stageId: StageId): FleetStage {
    const stage = this.#stages.get(stageId);
    invariant(stage !== undefined, `stage '${stageId}' is part of the pipeline`);
    return stage;
  }
}
