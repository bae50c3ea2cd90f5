/** One stage of the fleet: replicas, plan and restarts. The fleet scheduler takes all steps. */
import { type ReplicaId, replicaId, type StageId, type VariantId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import {
  isOfKind,
  type ReplicaKind,
  type ReplicaStatus,
  type RunningReplica,
  type RunningStage,
} from '../../model/running-plan.js';
import { type BackOff, backOffAfter, standingBackOff } from '../rollout/trial.js';
import { hadServed, nextRestart, noRestarts, type RestartHistory, restartEnded } from './restart-backoff.js';
import type { StageCanary } from './stage-canary.js';
import { noneReady, type ReadyCounts, readyCounts, stageSteps } from './stage-steps.js';

export interface FleetReplica extends RunningReplica {
  status: ReplicaStatus;
  /** Set from the start of a replica until it is ready or has failed, even if no longer wanted. */
  launching: boolean;
  readonly forChange: boolean;
  patienceEndsAtMs: number;
  overdue: boolean;
  startedAtMs: number;
  readyAtMs: number;
}

export class FleetStage {
  readonly id: StageId;
  readonly replicas = new Map<ReplicaId, FleetReplica>();
  target: StagePlan | undefined;
  serving: StagePlan | undefined;
  before: ReadyCounts = noneReady;
  retryAtMs = Number.POSITIVE_INFINITY;
  /** Set while the stage changes or turns back outside a running change. */
  #alone: { readonly from: StagePlan | undefined } | undefined;
  /** Time at which the stage turns back unless everything has started; Infinity without a limit. */
  aloneEndsAtMs = Number.POSITIVE_INFINITY;
  canary: StageCanary | undefined;
  /** Set while the stage waits for headroom. Each wait is reported once. */
  lacksHeadroom = false;
  /** Replicas whose batch may hang. */
  readonly late = new Set<ReplicaId>();
  readonly served = new Set<VariantId>();
  readonly #backOffs = new Map<VariantId, BackOff>();
  #restarts: RestartHistory = noRestarts;
  #made = 0;

  constructor(id: StageId) {
    this.id = id;
  }

  register({ variantId, resources }: ReplicaKind, status: ReplicaStatus, forChange = false): FleetReplica {
    this.#made += 1;
    const id = replicaId(`${this.id}-${variantId}-${this.#made}`);
    const launching = status === 'starting';
    const replica = {
      ...{ replicaId: id, variantId, resources, status, launching, forChange },
      ...{ patienceEndsAtMs: Number.POSITIVE_INFINITY, overdue: false },
      ...{ startedAtMs: Number.POSITIVE_INFINITY, readyAtMs: Number.POSITIVE_INFINITY },
    };
    this.replicas.set(id, replica);
    return replica;
  }

  /** Begins a change from the ready replicas to `to`. */
  headFor(to: StagePlan | undefined): void {
    this.target = to;
    this.endAlone();
    this.before = to === undefined ? noneReady : readyCounts(this.all(), to);
  }

  /**
   * Continues a change from the plan `from` alone. Turns back at `endsAtMs` unless all replicas have started. A stage
   * that only grows keeps the replicas that serve or start, and starts no more.
   */
  goOnAlone(from: StagePlan | undefined, endsAtMs: number): void {
    const { target, before } = this;
    const alive = this.fittingAlive();
    const grows =
      target !== undefined && !this.isOmitted && before.others === 0 && alive > 0 && alive < target.replicas;
    if (grows) this.headFor({ ...target, replicas: alive });
    this.#alone = { from };
    this.aloneEndsAtMs = endsAtMs;
  }

  /** Returns to `previous` after a failure, or keeps additional replicas. A new variant goes into back-off. */
  turnBack(previous: StagePlan | undefined, nowMs: number): void {
    if (this.target !== undefined && this.target.variantId !== previous?.variantId) this.#holdBack(this.target, nowMs);
    this.#returnTo(previous, nowMs);
  }

  #holdBack({ variantId }: StagePlan, nowMs: number): void {
    const before = this.#backOffs.get(variantId);
    const standing = before !== undefined && standingBackOff(before, nowMs) ? before : undefined;
    this.#backOffs.set(variantId, backOffAfter(nowMs, standing));
  }

  #returnTo(previous: StagePlan | undefined, nowMs: number): void {
    this.headFor(this.#grownBeyond(previous, this.fittingAlive()));
    this.markMissing(nowMs);
  }

  /** Returns to the previous plan on request, which is no failure. */
  cancelAlone(nowMs: number): void {
    this.#returnTo(this.#alone?.from, nowMs);
    this.settleAlone();
  }

  /** Wants one replica fewer, but at least one. */
  shrink(): void {
    const { target } = this;
    if (target !== undefined) this.target = { ...target, replicas: Math.max(1, target.replicas - 1) };
  }

  /** Adopts batching, threshold and quorum of a plan, which need no other replicas. */
  tune(to: StagePlan): void {
    if (this.target !== undefined) this.target = tuned(this.target, to);
  }

  tuneBefore(to: StagePlan): void {
    const from = this.#alone?.from;
    if (from !== undefined) this.#alone = { from: tuned(from, to) };
  }

  turnBackAlone(nowMs: number): void {
    this.turnBack(this.#alone?.from, nowMs);
    this.settleAlone();
  }

  settleAlone(): void {
    this.#alone = { from: this.target };
  }

  /** Turns back because headroom for another step is missing. If the stage has already turned back, it stops. */
  stopAlone(nowMs: number): void {
    if (this.#alone?.from === this.target) this.endAlone();
    else this.turnBackAlone(nowMs);
  }

  endAloneStarts(nowMs: number): void {
    this.aloneEndsAtMs = Number.POSITIVE_INFINITY;
    if (!this.hasArrived) this.turnBackAlone(nowMs);
  }

  endAlone(): void {
    this.#alone = undefined;
    this.aloneEndsAtMs = Number.POSITIVE_INFINITY;
  }

  noteArrival(): void {
    if (this.isOnItsOwn && !this.unsettled && this.hasArrived) this.endAlone();
  }

  get isOnItsOwn(): boolean {
    return this.#alone !== undefined;
  }

  /** The target. While the stage changes alone: the previous plan, plus additional replicas that already serve. */
  get comesFrom(): StagePlan | undefined {
    if (!this.isOnItsOwn) return this.target;
    return this.#grownBeyond(this.#alone?.from, this.#fitting('ready'));
  }

  /** If the stage only grows from `previous`: the target with `grown` replicas; else `previous`. */
  #grownBeyond(previous: StagePlan | undefined, grown: number): StagePlan | undefined {
    const { target, before } = this;
    if (target === undefined || before.others > 0 || grown === 0) return previous;
    // If no replica of another kind is ready, the change may still replace lost replicas.
    const isGrowth =
      previous === undefined || (previous.replicas > 0 && isOfKind(previous, target) && grown >= previous.replicas);
    return isGrowth ? { ...target, replicas: grown } : previous;
  }

  /** True if the plan is reached, except for drains. */
  get hasArrived(): boolean {
    const { target: to, before } = this;
    if (to === undefined) return true;
    const nothing = { cpuCores: 0, starts: 0, comesFree: true };
    return stageSteps({ replicas: this.all(), to, before, adopted: true }, nothing).state === 'arrived';
  }

  get adopted(): boolean {
    const { target, serving } = this;
    return (
      target !== undefined &&
      serving !== undefined &&
      isOfKind(serving, target) &&
      serving.replicas > 0 === target.replicas > 0 &&
      serving.maxBatchSize === target.maxBatchSize &&
      serving.maxBatchWaitMs === target.maxBatchWaitMs &&
      serving.threshold === target.threshold &&
      serving.quorum === target.quorum
    );
  }

  /** True while requests skip the stage. */
  get isOmitted(): boolean {
    return this.serving?.replicas === 0;
  }

  all(): readonly FleetReplica[] {
    return [...this.replicas.values()];
  }

  fittingAlive(): number {
    return this.#fitting('ready') + this.#fitting('starting');
  }

  get readyFraction(): number {
    return this.target === undefined ? 0 : this.#fitting('ready') / this.target.replicas;
  }

  #fitting(wanted: ReplicaStatus): number {
    const { target } = this;
    if (target === undefined) return 0;
    return this.all().filter((replica) => replica.status === wanted && isOfKind(replica, target)).length;
  }

  /** Missing replicas count as failed. They restart after the back-off. */
  markMissing(nowMs: number): void {
    if (this.target === undefined) return;
    const failed = this.all().filter(({ status }) => status === 'failed').length;
    const missing = this.target.replicas - this.fittingAlive() - failed;
    for (let i = 0; i < missing; i++) this.register(this.target, 'failed');
    this.planRestart(nowMs);
  }

  markLost(replica: FleetReplica, nowMs: number): void {
    const { startedAtMs, readyAtMs } = replica;
    if (hadServed({ inServiceMs: nowMs - readyAtMs, startMs: readyAtMs - startedAtMs })) this.#restarts = noRestarts;
    this.register(replica, 'failed');
    this.planRestart(nowMs);
  }

  planRestart(nowMs: number): void {
    if (this.retryAtMs < Number.POSITIVE_INFINITY || !this.all().some(({ status }) => status === 'failed')) return;
    const { delayMs, history } = nextRestart(this.#restarts, nowMs);
    this.#restarts = history;
    this.retryAtMs = nowMs + delayMs;
  }

  restartEnded(nowMs: number): void {
    this.#restarts = restartEnded(this.#restarts, nowMs);
  }

  forgetFailed(): void {
    this.retryAtMs = Number.POSITIVE_INFINITY;
    for (const { replicaId: id, status } of this.all()) if (status === 'failed') this.replicas.delete(id);
  }

  /** True while a replica starts, or drains within the patience. */
  get unsettled(): boolean {
    return this.all().some(({ launching, status, overdue }) => launching || (status === 'draining' && !overdue));
  }

  /** Cores of all but overdue replicas. Failed ones count: they restart. */
  get heldCores(): number {
    return this.all().reduce((sum, { resources, overdue }) => sum + (overdue ? 0 : resources.cpuCores), 0);
  }

  /** A stage that never ran shows batches of one item. */
  running(nowMs: number): RunningStage {
    const { maxBatchSize, maxBatchWaitMs, threshold, quorum }: Partial<StagePlan> = this.serving ?? {};
    const replicas = this.all().map(
      ({ replicaId: id, variantId, resources, status }): RunningReplica => ({
        ...{ replicaId: id, variantId, resources, status },
      }),
    );
    const rolledBack = [...this.#backOffs].flatMap(([variantId, backOff]) =>
      nowMs < backOff.untilMs ? [{ variantId, untilMs: backOff.untilMs }] : [],
    );
    const stage = {
      ...{ replicas, maxBatchSize: maxBatchSize ?? 1, maxBatchWaitMs: maxBatchWaitMs ?? 0 },
      ...(this.isOmitted && { omitted: true as const }),
      ...(threshold !== undefined && !this.isOmitted && { threshold }),
      ...(quorum !== undefined && !this.isOmitted && { quorum }),
      ...(rolledBack.length > 0 && { rolledBack }),
    };
    const { canary, target } = this;
    if (canary === undefined || target === undefined) return stage;
    const { fraction, missingOutcomes } = canary;
    return { ...stage, canary: { variantId: target.variantId, fraction, missingOutcomes } };
  }
}

function tuned(
  { threshold: _, quorum: __, ...plan }: StagePlan,
  { maxBatchSize, maxBatchWaitMs, threshold, quorum }: StagePlan,
): StagePlan {
  return {
    ...{ ...plan, maxBatchSize, maxBatchWaitMs },
    ...(threshold !== undefined && { threshold }),
    ...(quorum !== undefined && { quorum }),
  };
}
