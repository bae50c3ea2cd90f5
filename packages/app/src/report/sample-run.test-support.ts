/** A made-up run of an hour, with bursts, drops and changes. Names may be hostile. */
import type { LatencyBucket } from '@equipoise/core/history';
import { type DecisionRecord, stageId, variantId } from '@equipoise/core/model';
import type { RunPoint, RunRecord, RunStage } from './run/run-record.js';

export const HOSTILE = '</script><img src=x onerror=alert(1)>"\'&{{\u0007';

export const START_EPOCH_MS = Date.UTC(2026, 2, 1, 12);

export interface SampleOptions {
  readonly pipeline: string;
  readonly stages: readonly string[];
  readonly seconds: number;
  readonly everyS?: number;
}

const loadAt = (second: number): number => 20 + 12 * Math.sin(second / 300) + (second % 900 > 800 ? 25 : 0);

function stageAt(second: number, index: number): RunStage {
  const replicas = 2 + index + (loadAt(second) > 30 ? 2 : 0);
  const isStarting = second % 900 > 800 && second % 900 < 830;
  return {
    droppedRps: second % 900 > 800 && second % 900 < 840 ? 3 : 0,
    queueLength: second % 900 > 800 ? 14 : 1,
    batchLimit: replicas > 3 ? 8 : 4,
    batchSize: 1.4 + index * 0.3,
    p99Ms: 40 + 10 * Math.cos(second / 60),
    cpuCores: replicas,
    replicas: { starting: isStarting ? 1 : 0, ready: replicas, draining: 0, unhealthy: second % 1000 > 980 ? 1 : 0 },
  };
}

function pointAt(second: number, stages: readonly string[]): RunPoint {
  const isBurst = second % 900 > 800 && second % 900 < 840;
  const cores = stages.reduce((sum, _, index) => sum + stageAt(second, index).cpuCores, 0);
  return {
    atEpochMs: START_EPOCH_MS + 1000 * second,
    arrivalRps: loadAt(second),
    forecastUpperRps: loadAt(second) > 30 ? 48 : 32,
    completedRps: loadAt(second) - (isBurst ? 5 : 0),
    lateRps: isBurst ? 1.5 : 0,
    failedRps: 0,
    drops: isBurst ? { 'queue-full': 3, 'deadline-unreachable': 2 } : {},
    p50Ms: 62 + (second % 7),
    p99Ms: isBurst ? 420 : 180 + (second % 31),
    accuracy: loadAt(second) > 30 ? 0.81 : 0.87,
    cost: cores,
    cpuCores: { used: 0.6 * cores, planned: cores },
    stages: Object.fromEntries(stages.map((id, index) => [id, stageAt(second, index)])),
  };
}

const latencies = (): readonly LatencyBucket[] =>
  Array.from({ length: 40 }, (_, i) => ({
    upToMs: 20 * 2 ** (i / 8),
    count: Math.round(9000 * Math.exp(-(((i - 14) / 6) ** 2)) + (i > 24 ? 30 : 0)),
  }));

export function sampleRun({ pipeline, stages, seconds, everyS = 1 }: SampleOptions): RunRecord {
  const points = Array.from({ length: Math.floor(seconds / everyS) }, (_, i) => pointAt((i + 1) * everyS, stages));
  return {
    ...{ pipeline, origin: 'Sample', slo: { latencyMs: 400, percentile: 99 }, percentile: 99 },
    ...{ points, latencies: latencies() },
    decisions: Array.from({ length: Math.ceil(seconds / 300) }, (_, i) =>
      sampleDecision(i + 1, pipeline, stages[0] ?? 'a'),
    ),
  };
}

/** Every third decision changes the plan. */
export function sampleDecision(id: number, pipeline: string, stage: string): DecisionRecord {
  const evidence = { forecast: { method: 'smoothed', meanRps: 22, upperRps: 31.5 } };
  const resources = { cpuCores: 1, memoryBytes: 2e8, gpus: 0 };
  const to = {
    variantId: variantId(pipeline),
    resources,
    maxBatchSize: 8,
    maxBatchWaitMs: 0,
    replicas: 4,
    trafficFraction: 1,
  };
  const plan = {
    stages: { [stageId(stage)]: [to] },
    predicted: { latencyMs: 212.4, percentile: 99, pas: 0.8123, capacityRps: 44.4, cpuCores: 4, costPerHour: 4 },
  };
  const reason = `best plan for up to 31.5 rps ${pipeline}`;
  return {
    id,
    atEpochMs: START_EPOCH_MS + 300_000 * id - 100_000,
    observation: {
      ...{ atMs: 300_000 * id, load: { arrivalsPerSecond: [20, 21, 22] }, staleSources: [] },
      stages: { [stageId(stage)]: { queueLength: id, droppedTotal: 10 * id } },
      runningPlan: { stages: { [stageId(stage)]: { replicas: [], maxBatchSize: 4, maxBatchWaitMs: 0 } } },
    },
    trigger: id % 2 === 0 ? 'burst' : 'plan',
    mode: 'auto',
    decision:
      id % 3 === 0
        ? { kind: 'hold', reason: 'the best plan is already running', evidence }
        : {
            kind: 'apply',
            plan,
            changes: [{ kind: 'scale', stageId: stageId(stage), fromReplicas: 2, to }],
            reason,
            evidence,
          },
    ...(id % 3 !== 0 && { outcome: { kind: 'applied', tookMs: 1840 } as const }),
    observed: {
      ...{ windowMs: 60_000, arrivalRps: 21.7, completed: 1290, failed: 0, dropped: 12, sloAttainmentFraction: 0.991 },
      latencyMs: { p50: 64.2, atPercentile: 231.9 },
    },
  };
}
