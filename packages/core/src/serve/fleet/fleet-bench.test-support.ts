/** A fleet on a manual clock. A start takes `startMs`, a drain `drainMs`. */
import { AppError } from '../../model/app-error.js';
import type { Change } from '../../model/change.js';
import { type ReplicaId, type StageId, stageId, variantId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningReplica } from '../../model/running-plan.js';
import type { CanaryNews, ChangeEnd, FleetEffects, FleetLimits } from './fleet-effects.js';
import { FleetScheduler } from './fleet-scheduler.js';

export const [stageA, stageB] = [stageId('a'), stageId('b')];

/** Plan of a stage. Variants named `broken…` never start. */
export function planFor(variant: string, replicas: number, cpuCores = 1, maxBatchSize = 1): StagePlan {
  return {
    variantId: variantId(variant),
    resources: { cpuCores, memoryBytes: 0, gpus: 0 },
    maxBatchSize,
    maxBatchWaitMs: 0,
    replicas,
    trafficFraction: 1,
  };
}

export function changeTo(to: StagePlan, stage: StageId = stageA): Change {
  return { kind: 'scale', stageId: stage, fromReplicas: 0, to };
}

interface Pending {
  readonly atMs: number;
  readonly run: () => void;
}

/** Event of the bench: time, stage, event, and replica or plan. */
export type BenchEvent = readonly [atMs: number, stage: string, what: string, subject: string];

type CanaryOutcomes = ReturnType<FleetEffects['canaryCounts']>;

const nothing = { ended: 0, missed: 0 };

export class FleetBench implements FleetEffects {
  readonly fleet: FleetScheduler;
  readonly events: BenchEvent[] = [];
  readonly news: CanaryNews[] = [];
  readonly startMs: (replica: RunningReplica) => number;
  readonly drainMs: (replica: RunningReplica) => number;
  /** Counts of both sides of a canary, by time. */
  outcomes: (nowMs: number) => CanaryOutcomes = () => ({ before: nothing, after: nothing });
  onEvent = (): void => {};
  /** Stages that new requests visit even if their plan omits them. */
  readonly needed = new Set<StageId>();
  nowMs = 0;
  #pending: Pending[] = [];
  readonly #limits: FleetLimits;

  constructor(
    limits: Partial<FleetLimits> = {},
    times: {
      readonly startMs?: (replica: RunningReplica) => number;
      readonly drainMs?: (replica: RunningReplica) => number;
    } = {},
  ) {
    this.startMs = times.startMs ?? (() => 10);
    this.drainMs = times.drainMs ?? (() => 1);
    this.#limits = {
      ...{ budgetCpuCores: Number.POSITIVE_INFINITY, maxSurgeMs: Number.POSITIVE_INFINITY },
      ...{ startConcurrency: 2, drainPatienceMs: 30_000 },
      ...limits,
    };
    this.fleet = new FleetScheduler([stageA, stageB], this.#limits, this);
  }

  /** Changes the budget as a reload does. */
  setBudget(budgetCpuCores: number): void {
    Object.assign(this.#limits, { budgetCpuCores });
    this.fleet.limitsChanged(this.nowMs);
    this.onEvent();
  }

  /** Applies a change now. The returned array receives its end. */
  apply(change: Change): ChangeEnd[] {
    const ends: ChangeEnd[] = [];
    this.fleet.apply(change, this.nowMs, (end) => ends.push(end));
    this.onEvent();
    return ends;
  }

  /** Applies a change and runs until it has ended. */
  applied(change: Change): ChangeEnd {
    const ends = this.apply(change);
    for (;;) {
      const [end] = ends;
      if (end !== undefined) return end;
      if (!this.advance()) throw new Error('the change never ends');
    }
  }

  /** Takes the next event; false if there is none. */
  advance(): boolean {
    const next = this.#pending.toSorted((a, b) => a.atMs - b.atMs)[0];
    const wakeAtMs = this.fleet.nextWakeAtMs;
    const atMs = Math.min(next?.atMs ?? Number.POSITIVE_INFINITY, wakeAtMs);
    if (atMs === Number.POSITIVE_INFINITY) return false;
    this.nowMs = Math.max(this.nowMs, atMs);
    if (next !== undefined && next.atMs === atMs) {
      this.#pending = this.#pending.filter((other) => other !== next);
      next.run();
    } else this.fleet.advance(this.nowMs);
    this.onEvent();
    return true;
  }

  advanceTo(atMs: number): void {
    for (;;) {
      const soonestMs = Math.min(this.fleet.nextWakeAtMs, ...this.#pending.map((pending) => pending.atMs));
      if (soonestMs > atMs) break;
      this.advance();
    }
    this.nowMs = atMs;
  }

  having(status: RunningReplica['status'], stage: StageId = stageA): readonly RunningReplica[] {
    return this.fleet.runningPlan().stages[stage]?.replicas.filter((replica) => replica.status === status) ?? [];
  }

  /** `variant:status` of each replica of a stage. */
  shown(stage: StageId = stageA): readonly string[] {
    const replicas = this.fleet.runningPlan().stages[stage]?.replicas ?? [];
    return replicas.map(({ variantId: id, status }) => `${id}:${status}`);
  }

  lose(stage: StageId = stageA): void {
    const [replica] = this.having('ready', stage);
    if (replica !== undefined) this.fleet.lost(replica.replicaId, this.nowMs);
    this.onEvent();
  }

  start(stage: StageId, replica: RunningReplica): void {
    this.#note(stage, 'start', replica);
    const { replicaId: id, variantId: variant } = replica;
    this.#later(this.startMs(replica), () => {
      if (!variant.startsWith('broken')) this.fleet.started(id, this.nowMs);
      else this.fleet.startFailed(id, new AppError('MODEL_LOAD_FAILED', 'it cannot start'), this.nowMs);
    });
  }

  serve(stage: StageId, replica: RunningReplica): void {
    this.#note(stage, 'serve', replica);
  }

  openCanary(stage: StageId, { variantId: id }: StagePlan): void {
    this.events.push([this.nowMs, stage, 'open-canary', id]);
  }

  shareCanary(stage: StageId, fraction: number): void {
    this.events.push([this.nowMs, stage, 'share-canary', String(fraction)]);
  }

  canaryCounts(): CanaryOutcomes {
    return this.outcomes(this.nowMs);
  }

  canaryChanged(_: StageId, news: CanaryNews): void {
    this.news.push(news);
  }

  closeCanary(stage: StageId): void {
    this.events.push([this.nowMs, stage, 'close-canary', '']);
  }

  adopt(stage: StageId, { variantId: id, maxBatchSize }: StagePlan): void {
    this.events.push([this.nowMs, stage, 'adopt', `${id}/${maxBatchSize}`]);
  }

  isSkipped(stage: StageId): boolean {
    return !this.needed.has(stage);
  }

  drain(stage: StageId, replica: RunningReplica): void {
    this.#note(stage, 'drain', replica);
    this.#leave(replica.replicaId, this.drainMs(replica));
  }

  discard(stage: StageId, replica: RunningReplica): void {
    this.#note(stage, 'discard', replica);
    this.#leave(replica.replicaId, 0);
  }

  restartFailed(stage: StageId): void {
    this.events.push([this.nowMs, stage, 'restart-failed', '']);
  }

  #leave(id: ReplicaId, afterMs: number): void {
    if (afterMs === 0) this.fleet.left(id, this.nowMs);
    else if (afterMs < Number.POSITIVE_INFINITY) this.#later(afterMs, () => this.fleet.left(id, this.nowMs));
  }

  #later(afterMs: number, run: () => void): void {
    this.#pending.push({ atMs: this.nowMs + afterMs, run });
  }

  #note(stage: StageId, what: string, { replicaId: id }: RunningReplica): void {
    this.events.push([this.nowMs, stage, what, id]);
  }
}
