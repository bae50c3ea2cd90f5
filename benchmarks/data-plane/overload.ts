/**
 * Load of five times the capacity of a two-stage pipeline, then half of it. The capacity is measured in the same run.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RequestEnd } from '@equipoise/runtime';
import { type BenchPipeline, type BenchStage, startBenchPipeline } from './bench-pipeline.js';
import { type Answers, openLoop, saturationRps } from './open-loop.js';

/** Figures of the overload. */
export interface OverloadFigures {
  readonly capacityRps: number;
  readonly offeredRps: number;
  /** Requests completed within the SLO per second of the overload. */
  readonly goodputRps: number;
  readonly sloLatencyMs: number;
  /** p99 latency of completed requests. */
  readonly p99Ms: number;
  readonly dropped: number;
  readonly failed: number;
  /**
   * Maximum time from the decision to drop a request to its answer, and number of drops answered after their deadline.
   */
  readonly slowestDropMs: number;
  readonly dropsAfterDeadline: number;
  /** Heap and buffers after a garbage collection: after a third of the overload, and at its end. */
  readonly memoryBytes: readonly [number, number];
  /** Time from the end of the overload until all further requests complete within the SLO. */
  readonly normalAfterMs: number;
}

const SLO_MS = 400;
const stages: readonly BenchStage[] = [
  { name: 'detect', baseMs: 12, itemMs: 7, maxBatchSize: 4, replicas: 1 },
  { name: 'classify', baseMs: 8, itemMs: 3, maxBatchSize: 4, replicas: 1 },
];
const OVERLOAD = 5;
const RECOVERY_MS = 10_000;

/** Runs the benchmark; the overload lasts for `overloadMs`. */
export async function measureOverload(overloadMs: number): Promise<OverloadFigures> {
  const { runner, close } = await startBenchPipeline(stages, SLO_MS);
  await saturationRps(runner, 12, 1_000);
  const capacityRps = await saturationRps(runner, 12, Math.min(10_000, overloadMs));
  const arrivalRps = OVERLOAD * capacityRps;
  let lateDrops = 0;
  runner.onRequestEnd((end: RequestEnd) => {
    if (end.kind === 'dropped' && end.latencyMs > SLO_MS) lateDrops += 1;
  });
  const first = await openLoop(runner, { arrivalRps, durationMs: overloadMs / 3, seed: 1 });
  const memoryBefore = memoryInUse();
  const decided = watchDecisions(runner);
  const second = await openLoop(runner, { arrivalRps, durationMs: (2 * overloadMs) / 3, seed: 2 });
  const memoryAfter = memoryInUse();
  const after = await openLoop(runner, { arrivalRps: capacityRps / 2, durationMs: RECOVERY_MS, seed: 3 });
  const all = [first, second];
  const latencies = all.flatMap(completedMs).sort((a, b) => a - b);
  const good = latencies.filter((ms) => ms <= SLO_MS).length;
  const count = (kind: string): number => all.flatMap((one) => one.kind).filter((each) => each === kind).length;
  await close();
  return {
    capacityRps,
    offeredRps: (1000 * (first.kind.length + second.kind.length)) / overloadMs,
    goodputRps: (1000 * good) / overloadMs,
    sloLatencyMs: SLO_MS,
    p99Ms: latencies[Math.ceil(0.99 * latencies.length) - 1] ?? Number.NaN,
    dropped: count('dropped'),
    failed: count('failed'),
    slowestDropMs: decided(),
    dropsAfterDeadline: lateDrops,
    memoryBytes: [memoryBefore, memoryAfter],
    normalAfterMs: Math.max(0, ...after.answeredAtMs.filter((_, index) => !isGood(after, index))),
  };
}

/**
 * Returns the maximum time so far from a drop to the next turn of the event loop. By then the answer has been
 * delivered.
 */
function watchDecisions(runner: BenchPipeline['runner']): () => number {
  let slowestMs = 0;
  runner.onRequestEnd(({ kind, endedAtMs }) => {
    if (kind === 'dropped') setImmediate(() => (slowestMs = Math.max(slowestMs, runner.nowMs - endedAtMs)));
  });
  return () => slowestMs;
}

setFlagsFromString('--expose-gc');
/**
 * Collects garbage even if the process was started without `--expose-gc`. Otherwise uncollected garbage would count in
 * short runs.
 */
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes of heap and buffers after a garbage collection. */
function memoryInUse(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function completedMs({ latencyMs, kind }: Answers): readonly number[] {
  return latencyMs.filter((_, index) => kind[index] === 'completed');
}

function isGood({ latencyMs, kind }: Answers, index: number): boolean {
  return kind[index] === 'completed' && (latencyMs[index] ?? 0) <= SLO_MS;
}
