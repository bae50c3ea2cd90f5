/**
 * Reference percentiles by long simulation. Independent runs are added until the 95 % interval of the p99 is within 2
 * %. The interval comes from the spread between runs. A reached work limit is reported. Unresolved stages use the fluid
 * reference if known (driven-reference.ts).
 */
import { drawArrivals } from '../../packages/core/src/estimate/arrivals.js';
import { runStage } from '../../packages/core/src/estimate/micro-simulation.js';
import { LatencyHistogram } from '../../packages/core/src/kernel/latency-histogram.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import type { RandomStage } from './random-stages.js';

/** `halfWidthFraction`: half the width of the p99's 95 % interval ÷ the p99. */
export interface Reference {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly halfWidthFraction: number;
  readonly requests: number;
}

const FIRST_REQUESTS = 200_000;
const LONGEST_RUN = 2_000_000;
export const MOST_REQUESTS = 200_000_000;
const RUNS = 8;
export const WITHIN = 0.02;
export const BURST_MS = 50;

/** Length of a run in requests: some hundred switches of the rate. */
export function runLength(stage: RandomStage): number {
  if (stage.process.kind !== 'mmpp') return FIRST_REQUESTS;
  const cycleMs = stage.process.meanHighMs + stage.process.meanLowMs;
  return Math.round(Math.max(FIRST_REQUESTS, Math.min(LONGEST_RUN, (150 * cycleMs * stage.arrivalRps) / 1000)));
}

function oneRun(stage: RandomStage, requests: number, seed: number): LatencyHistogram {
  const rng = new SeededRng(seed);
  const load = { process: stage.process, arrivalRps: stage.arrivalRps, groupSize: 1, itemsPerRequest: 1 };
  const arriving = drawArrivals(load, requests, rng.fork('arrivals'));
  const run = { ...stage, ...arriving, burstMs: BURST_MS, warmUp: Math.floor(requests / 20) };
  return runStage(run, rng.fork('service')).requests;
}

function halfWidth(groups: readonly LatencyHistogram[]): number {
  const values = groups.map((group) => Math.log(group.quantileMs(0.99)));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
  return 2.365 * Math.sqrt(variance / values.length);
}

export function referenceOf(stage: RandomStage, seed: number): Reference {
  const groups = Array.from({ length: RUNS }, () => new LatencyHistogram());
  const length = runLength(stage);
  let requests = 0;
  for (let round = 0; ; round++) {
    groups.forEach((group, i) => {
      group.merge(oneRun(stage, length, seed + 1000 * round + i));
    });
    requests += RUNS * length;
    const halfWidthFraction = halfWidth(groups);
    if (halfWidthFraction > WITHIN && requests + RUNS * length <= MOST_REQUESTS) continue;
    const all = new LatencyHistogram();
    for (const group of groups) all.merge(group);
    const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((f) => all.quantileMs(f)) as [number, number, number];
    return { meanMs: all.meanMs, p50Ms, p95Ms, p99Ms, halfWidthFraction, requests };
  }
}
