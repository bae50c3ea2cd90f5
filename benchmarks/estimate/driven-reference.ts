/**
 * p99 of a stage whose rate exceeds the capacity at times: runs with a parallel fluid queue (fluid-control.ts). Least
 * squares over the runs give the fraction of late requests at the fluid's exact mean. The interval of the fraction is
 * that of a regression intercept. The p99 and its interval are where the fraction and its interval reach 1 %.
 */

import { runStage } from '../../packages/core/src/estimate/micro-simulation.js';
import { LatencyHistogram } from '../../packages/core/src/kernel/latency-histogram.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { drivenRun, type Overloads } from './fluid-control.js';
import { intercept } from './intercept.js';
import type { RandomStage } from './random-stages.js';
import { BURST_MS, MOST_REQUESTS, type Reference, runLength, WITHIN } from './reference.js';

interface Run {
  readonly latencies: LatencyHistogram;
  /** Expected requests in the counted time. */
  readonly expected: number;
  readonly deviations: readonly number[];
}

/** Runs between checks of the interval. */
const RUNS = 64;
/** Two-sided 95 % quantile of Student's t for `RUNS`. */
const T_95 = 2.001;
const LATE = 0.01;
const HALVINGS = 30;

function oneRun(stage: RandomStage & Overloads, requests: number, seed: number): Run {
  const rng = new SeededRng(seed);
  const { arrivedAtMs, warmUp, expected, deviations } = drivenRun(stage, requests, rng.fork('arrivals'));
  const itemsOf = new Uint16Array(arrivedAtMs.length).fill(1);
  const record = runStage({ ...stage, arrivedAtMs, itemsOf, warmUp, burstMs: BURST_MS }, rng.fork('service'));
  return { latencies: record.requests, expected, deviations };
}

/** Latency (ms) between `lowMs` and `highMs` at which a falling function reaches `LATE`. */
function latencyAt(lateAt: (ms: number) => number, lowMs: number, highMs: number): number {
  let [low, high] = [Math.log(lowMs), Math.log(highMs)];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (lateAt(Math.exp(middle)) > LATE) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

const bucketMiddleMs = (histogram: LatencyHistogram, ms: number): number =>
  histogram.quantileMs(histogram.fractionUpTo(ms) - 0.5 / histogram.count);

function p99Of(runs: readonly Run[], around: LatencyHistogram): Pick<Reference, 'p99Ms' | 'halfWidthFraction'> {
  const deviations = runs.map((run) => run.deviations);
  const late = (ms: number) =>
    intercept(
      runs.map(({ latencies, expected }) => (latencies.count * (1 - latencies.fractionUpTo(ms))) / expected),
      deviations,
    );
  const [low, high] = [around.quantileMs(0.95), around.maxMs];
  const p99Ms = bucketMiddleMs(
    around,
    latencyAt((ms) => late(ms).value, low, high),
  );
  const [least, most] = [-T_95, T_95].map((t) =>
    latencyAt(
      (ms) => {
        const { value, standardError } = late(ms);
        return value + t * standardError;
      },
      low,
      high,
    ),
  ) as [number, number];
  return { p99Ms, halfWidthFraction: (most - least) / 2 / p99Ms };
}

export function drivenReference(stage: RandomStage & Overloads, seed: number): Reference {
  const length = runLength(stage);
  const runs: Run[] = [];
  const all = new LatencyHistogram();
  for (;;) {
    for (let i = 0; i < RUNS; i++) {
      const run = oneRun(stage, length, seed + runs.length);
      runs.push(run);
      all.merge(run.latencies);
    }
    const requests = runs.length * length;
    const { p99Ms, halfWidthFraction } = p99Of(runs, all);
    if (halfWidthFraction > WITHIN && requests + RUNS * length <= MOST_REQUESTS) continue;
    return {
      meanMs: all.meanMs,
      p50Ms: all.quantileMs(0.5),
      p95Ms: all.quantileMs(0.95),
      p99Ms,
      halfWidthFraction,
      requests,
    };
  }
}
