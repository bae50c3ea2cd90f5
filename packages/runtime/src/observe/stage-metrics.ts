import type { HealthIssue, RunningPlan, StageId } from '@equipoise/core/model';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import type { StageCounts } from '../data-plane/stage-statistics.js';
import { batchSizeBuckets, partBucketsSeconds } from './buckets.js';
import { CounterTally, HistogramTally } from './tallies.js';

export interface WatchedPipeline {
  readonly runner: PipelineRunner;
  readonly runningPlan: () => RunningPlan;
}

const CAUSES: Readonly<Record<HealthIssue | 'lost', true>> = { lost: true, failing: true, slow: true, hung: true };

/** Adds the metrics of stages. Histograms count only later batches. */
export function watchStages(registry: Registry, watched: WatchedPipeline): void {
  watchQuarantine(registry, watched.runner);
  watchQueues(registry, watched.runner);
  watchReplicas(registry, watched);
  watchBatches(registry, watched.runner);
}

function watchQueues(registry: Registry, runner: PipelineRunner): void {
  const registers = [registry];
  const perStage = (visit: (stage: StageId, counts: StageCounts) => void) => {
    for (const [stage, counts] of Object.entries(runner.stageCounts())) visit(stage as StageId, counts);
  };
  new Gauge({
    name: 'equipoise_stage_queue_length',
    help: 'Items in the queue of a stage.',
    labelNames: ['stage'],
    registers,
    collect() {
      perStage((stage, { queueLength }) => this.set({ stage }, queueLength));
    },
  });
  new Counter({
    name: 'equipoise_stage_dropped_total',
    help: 'Requests dropped at a stage, on arrival there or from its queue, by reason.',
    labelNames: ['stage', 'reason'],
    registers,
    collect() {
      this.reset();
      perStage((stage, { dropped }) => {
        for (const [reason, count] of Object.entries(dropped)) this.inc({ stage, reason }, count);
      });
    },
  });
  new Counter({
    name: 'equipoise_stage_retried_items_total',
    help: 'Items queued again, because their replica was lost, their batch hung, or they failed in a canary.',
    labelNames: ['stage'],
    registers,
    collect() {
      this.reset();
      perStage((stage, { retriedItems }) => this.inc({ stage }, retriedItems));
    },
  });
  new Counter({
    name: 'equipoise_stage_busy_seconds_total',
    help: 'Busy time of all replicas: from sending a batch to a replica until the answer of the replica, summed over batches.',
    labelNames: ['stage'],
    registers,
    collect() {
      this.reset();
      perStage((stage, { busyMs }) => this.inc({ stage }, busyMs / 1000));
    },
  });
  new Counter({
    name: 'equipoise_breaker_opened_total',
    help: 'Number of times that the circuit breaker of a replica opened.',
    labelNames: ['stage'],
    registers,
    collect() {
      this.reset();
      perStage((stage, { troubles }) => this.inc({ stage }, troubles.opened));
    },
  });
}

function watchQuarantine(registry: Registry, runner: PipelineRunner): void {
  const registers = [registry];
  const quarantined = new Counter({
    name: 'equipoise_inputs_quarantined_total',
    help: 'Inputs that were quarantined because they hung a stage.',
    labelNames: ['stage'],
    registers,
  });
  for (const { id } of runner.spec.stages) quarantined.inc({ stage: id }, 0);
  runner.onInputQuarantined(({ stageId }) => quarantined.inc({ stage: stageId }));
}

function watchReplicas(registry: Registry, { runner, runningPlan }: WatchedPipeline): void {
  const registers = [registry];
  new Gauge({
    name: 'equipoise_replicas',
    help: 'Replicas by status: starting, ready, draining or failed (waiting for a restart).',
    labelNames: ['stage', 'variant', 'status'],
    registers,
    collect() {
      this.reset();
      for (const [stage, { replicas }] of Object.entries(runningPlan().stages)) {
        for (const { variantId, status } of replicas) this.inc({ stage, variant: variantId, status });
      }
    },
  });
  new Gauge({
    name: 'equipoise_breakers',
    help: 'Circuit breakers of the replicas in service, by state: closed, open (gets no batches) or half-open (the next batch decides).',
    labelNames: ['stage', 'variant', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { stageId, variantId, state } of runner.breakers()) {
        this.inc({ stage: stageId, variant: variantId, state });
      }
    },
  });
  const replaced = new Counter({
    name: 'equipoise_replicas_replaced_total',
    help: 'Replicas that were removed and replaced, by cause: lost, failing, slow or hung.',
    labelNames: ['stage', 'cause'],
    registers,
  });
  // Without this 0, Prometheus would miss the first increase.
  for (const { id } of runner.spec.stages) {
    for (const cause of Object.keys(CAUSES)) replaced.inc({ stage: id, cause }, 0);
  }
  runner.onReplicaLost((stage) => replaced.inc({ stage, cause: 'lost' }));
  runner.onReplicaUnhealthy((stage, _, issue) => replaced.inc({ stage, cause: issue }));
}

function watchBatches(registry: Registry, runner: PipelineRunner): void {
  const labelNames = ['stage', 'variant'];
  const buckets = partBucketsSeconds(runner.spec.slo.latencyMs);
  const sizes = new HistogramTally(registry, {
    name: 'equipoise_batch_size',
    help: 'Number of items in each batch that a replica answered.',
    labelNames,
    buckets: batchSizeBuckets,
  });
  const services = new HistogramTally(registry, {
    name: 'equipoise_batch_service_seconds',
    help: 'Service time of a batch in the replica. Batches that failed as a whole are not counted.',
    labelNames,
    buckets,
  });
  const waits = new HistogramTally(registry, {
    name: 'equipoise_stage_wait_seconds',
    help: 'Time that an item waited at a stage until its batch started.',
    labelNames: ['stage'],
    buckets,
  });
  const failed = new CounterTally(registry, {
    name: 'equipoise_failed_items_total',
    help: 'Items that failed in a batch.',
    labelNames,
  });
  runner.onBatchEnd(({ stageId, variantId, size, failedItems, serviceMs, waitsMs }) => {
    sizes.observe(size, stageId, variantId);
    if (serviceMs > 0) services.observe(serviceMs / 1000, stageId, variantId);
    if (failedItems > 0) failed.add(failedItems, stageId, variantId);
    for (const waitMs of waitsMs) waits.observe(waitMs / 1000, stageId);
  });
}
