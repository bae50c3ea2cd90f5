/**
 * Lanes of a pipeline: one per stage, and a second one at the stage with a canary. A lane is marked dirty after a change
 * that may let a batch start.
 */
import { invariant } from '../kernel/invariant.js';
import { CanaryLane, type CanaryPolicy } from './canary-lane.js';
import { CoreGate } from './core-gate.js';
import type { IssueCounts } from './health/replica-health.js';
import type { ServingReplica } from './replica.js';
import type { StageItem } from './request-state.js';
import type { SchedulerLimits } from './serving-effects.js';
import { type StageEffects, type StageLimits, StageScheduler } from './stage-scheduler.js';

export class StageLanes<Payload, Context> {
  readonly #stages: readonly StageScheduler<Payload, Context>[];
  /** Stages, then the canary lane if one is open. */
  #all: readonly StageScheduler<Payload, Context>[];
  #canary: CanaryLane<Payload, Context> | undefined;
  readonly #dirty: StageScheduler<Payload, Context>[] = [];
  readonly #gate: CoreGate;
  #limits: StageLimits;
  readonly #effects: StageEffects<Payload, Context>;

  constructor(stages: number, limits: SchedulerLimits, effects: StageEffects<Payload, Context>) {
    this.#gate = new CoreGate(limits.hostCores);
    this.#limits = limits;
    this.#effects = effects;
    this.#stages = Array.from({ length: stages }, (_, index) => new StageScheduler(index, this.#gate, limits, effects));
    this.#all = this.#stages;
  }

  get all(): readonly StageScheduler<Payload, Context>[] {
    return this.#all;
  }

  get canary(): CanaryLane<Payload, Context> | undefined {
    return this.#canary;
  }

  /** Main lane of a stage. */
  main(stage: number): StageScheduler<Payload, Context> {
    return this.#stages[stage] as StageScheduler<Payload, Context>;
  }

  lanesOf(stage: number): readonly StageScheduler<Payload, Context>[] {
    const main = this.main(stage);
    return this.#canary?.stage === stage ? [main, this.#canary.scheduler] : [main];
  }

  laneOf({ stage, inCanary }: ServingReplica<Payload, Context>): StageScheduler<Payload, Context> {
    return inCanary && this.#canary !== undefined ? this.#canary.scheduler : this.main(stage);
  }

  /** Chooses the lane of a new item. */
  laneFor(item: StageItem<Payload, Context>, nowMs: number): StageScheduler<Payload, Context> {
    const canary = this.#canary;
    if (canary === undefined || canary.stage !== item.stage || !canary.takes(item.request, nowMs))
      return this.main(item.stage);
    item.inCanary = true;
    return canary.scheduler;
  }

  queueLength(stage: number): number {
    const { length } = this.main(stage);
    return this.#canary?.stage === stage ? length + this.#canary.scheduler.length : length;
  }

  retries(stage: number): number {
    return this.lanesOf(stage).reduce((sum, { retries }) => sum + retries, 0);
  }

  issues(stage: number): IssueCounts {
    const [main, canary] = this.lanesOf(stage).map(({ issues }) => issues);
    if (main === undefined || canary === undefined) return this.main(stage).issues;
    return {
      opened: main.opened + canary.opened,
      failing: main.failing + canary.failing,
      slow: main.slow + canary.slow,
      hung: main.hung + canary.hung,
    };
  }

  /** Expected time in ms until all waiting items have started, at the slowest lane. */
  predictedWaitMs(): number {
    let longestMs = 0;
    for (const lane of this.#all) longestMs = Math.max(longestMs, lane.predictedWaitMs());
    return longestMs;
  }

  setHostCores(cores: number): void {
    this.#gate.cores = cores;
    this.openGate();
  }

  setLimits(limits: StageLimits): void {
    this.#limits = { ...this.#limits, ...limits };
    for (const lane of this.#all) {
      lane.setLimits(limits);
      this.markDirty(lane);
    }
  }

  /** Opens a canary at a stage; only one may be open. */
  openCanary(stage: number, policy: CanaryPolicy): void {
    invariant(this.#canary === undefined, 'one canary is open at a time');
    const canary = new StageScheduler(this.#stages.length, this.#gate, this.#limits, this.#effects);
    canary.setPolicy(policy);
    this.#canary = new CanaryLane(stage, { main: this.main(stage), canary }, policy.profile);
    this.#all = [...this.#stages, canary];
  }

  /** Moves waiting items and all replicas to the main lane. */
  closeCanary(nowMs: number): void {
    const canary = this.#canary;
    if (canary === undefined) return;
    const main = this.main(canary.stage);
    main.absorb(canary.scheduler, nowMs);
    this.#canary = undefined;
    this.#all = this.#stages;
    this.markDirty(main);
  }

  markDirty(lane: StageScheduler<Payload, Context>): void {
    if (lane.isDirty) return;
    lane.isDirty = true;
    this.#dirty[this.#dirty.length] = lane;
  }

  markAllDirty(): void {
    for (const lane of this.#all) this.markDirty(lane);
  }

  /** Marks the lanes that wait at the core gate. */
  openGate(): void {
    for (let i = 0; i < this.#all.length; i++) {
      const lane = this.#all[i] as StageScheduler<Payload, Context>;
      if (lane.waitsAtGate) this.markDirty(lane);
    }
  }

  /**
   * Starts batches of dirty lanes one by one, the lane with the earliest deadline first. So the core gate follows
   * deadlines, and all arrivals of one event are queued before the first batch forms.
   */
  startBatches(nowMs: number): void {
    const dirty = this.#dirty;
    while (dirty.length > 0) {
      const first = dirty.length === 1 ? 0 : mostUrgent(dirty);
      const lane = dirty[first] as StageScheduler<Payload, Context>;
      if (lane.dispatchOne(nowMs)) continue;
      lane.isDirty = false;
      dirty[first] = dirty[dirty.length - 1] as StageScheduler<Payload, Context>;
      dirty.pop();
    }
  }
}

/** Index of the most urgent lane. */
function mostUrgent<Payload, Context>(lanes: readonly StageScheduler<Payload, Context>[]): number {
  let first = 0;
  for (let i = 1; i < lanes.length; i++) {
    const lane = lanes[i] as StageScheduler<Payload, Context>;
    if (lane.isMoreUrgentThan(lanes[first] as StageScheduler<Payload, Context>)) first = i;
  }
  return first;
}
