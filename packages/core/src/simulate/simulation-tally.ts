/** Counters of a simulation in constant memory. */
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import type { DropReason } from '../model/request-outcome.js';

export class StageTally {
  readonly waitMs = new LatencyHistogram();
  readonly serviceMs = new LatencyHistogram();
  batches = 0;
  items = 0;
  busyMs = 0;
  dropped = 0;

  batchStarted(batch: readonly { readonly enqueuedAtMs: number }[], nowMs: number, serviceMs: number): void {
    this.batches += 1;
    this.items += batch.length;
    this.busyMs += serviceMs;
    this.serviceMs.record(serviceMs, batch.length);
    for (let i = 0; i < batch.length; i++) this.waitMs.record(nowMs - (batch[i]?.enqueuedAtMs ?? nowMs));
  }

  /** `leftMs`: service time of the batch that its lost replica did not run. */
  batchLost(leftMs: number): void {
    this.busyMs -= leftMs;
  }

  merge(other: StageTally): void {
    this.waitMs.merge(other.waitMs);
    this.serviceMs.merge(other.serviceMs);
    this.batches += other.batches;
    this.items += other.items;
    this.busyMs += other.busyMs;
    this.dropped += other.dropped;
  }
}

export class SimulationTally {
  readonly latencyMs = new LatencyHistogram();
  readonly dropped = new Map<DropReason, number>();
  readonly stages: readonly StageTally[];
  readonly #sloLatencyMs: number;
  arrived = 0;
  completed = 0;
  /** Includes requests whose fan-out exceeded the queue limit. */
  failed = 0;
  withinSlo = 0;
  /** Sum over completed requests. */
  pasSum = 0;
  /** Sum over requests within the SLO. */
  pasWithinSloSum = 0;

  constructor(stageCount: number, sloLatencyMs: number) {
    this.stages = Array.from({ length: stageCount }, () => new StageTally());
    this.#sloLatencyMs = sloLatencyMs;
  }

  complete(latencyMs: number, pas: number): void {
    this.completed += 1;
    this.latencyMs.record(latencyMs);
    this.pasSum += pas;
    if (latencyMs > this.#sloLatencyMs) return;
    this.withinSlo += 1;
    this.pasWithinSloSum += pas;
  }

  drop(reason: DropReason, stage: number | undefined): void {
    const atStage = stage === undefined ? undefined : this.stages[stage];
    if (atStage !== undefined) atStage.dropped += 1;
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  /** Adds a run of the same pipeline. */
  merge(other: SimulationTally): void {
    this.arrived += other.arrived;
    this.completed += other.completed;
    this.failed += other.failed;
    this.withinSlo += other.withinSlo;
    this.pasSum += other.pasSum;
    this.pasWithinSloSum += other.pasWithinSloSum;
    this.latencyMs.merge(other.latencyMs);
    for (const [reason, count] of other.dropped) this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
    for (const [index, stage] of this.stages.entries()) stage.merge(other.stages[index] as StageTally);
  }
}
