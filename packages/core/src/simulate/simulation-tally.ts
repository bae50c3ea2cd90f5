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
}
