/** Reference percentiles of a pipeline from the full simulator without drops. */
import { LatencyHistogram } from '../../packages/core/src/kernel/latency-histogram.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import type { Plan, StagePlan } from '../../packages/core/src/model/plan.js';
import { poissonArrivals } from '../../packages/core/src/simulate/arrivals/constant-rate.js';
import { simulatePlan } from '../../packages/core/src/simulate/simulate-plan.js';
import { type RandomPipeline, VARIANT } from './random-pipelines.js';

/** Latency in ms, and half-width of the 95 % interval of the p99, as a fraction of the p99. */
export interface PipelineReference {
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly halfWidthFraction: number;
}

const RUNS = 5;
const REQUESTS = 60_000;
/** Student's t for a 95 % interval with 4 degrees of freedom. */
const T = 2.776;

function planOf({ stages, arrivalRps }: RandomPipeline): Plan {
  const plans = [...stages].map(([id, { replicas, maxBatchSize }]): [string, readonly StagePlan[]] => [
    id,
    [
      {
        variantId: VARIANT,
        resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
        maxBatchSize,
        maxBatchWaitMs: 0,
        replicas,
        trafficFraction: 1,
      },
    ],
  ]);
  const predicted = { latencyMs: 0, percentile: 99, pas: 1, capacityRps: arrivalRps, cpuCores: 0, costPerHour: 0 };
  return { stages: Object.fromEntries(plans), predicted };
}

/** Latencies of `requests` requests, except the first twentieth. */
export function pipelineRun(pipeline: RandomPipeline, seed: number, requests: number): LatencyHistogram {
  const { spec, stages, arrivalRps } = pipeline;
  const rng = new SeededRng(seed);
  const histogram = new LatencyHistogram();
  const durationMs = (1000 * requests) / arrivalRps;
  simulatePlan({
    spec,
    curves: { kind: 'curves', warnings: [], curve: (id) => stages.get(id)?.curve },
    plan: planOf(pipeline),
    arrivals: poissonArrivals(arrivalRps, durationMs, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops: false,
    onEnd: ({ arrivedAtMs, latencyMs }) => {
      if (arrivedAtMs > 0.05 * durationMs && latencyMs !== undefined) histogram.record(latencyMs);
    },
  });
  return histogram;
}

export function pipelineReference(pipeline: RandomPipeline, seed: number): PipelineReference {
  const runs = Array.from({ length: RUNS }, (_, i) => pipelineRun(pipeline, seed + i, REQUESTS));
  const logs = runs.map((run) => Math.log(run.quantileMs(0.99)));
  const mean = logs.reduce((a, b) => a + b, 0) / RUNS;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (RUNS - 1);
  const all = new LatencyHistogram();
  for (const run of runs) all.merge(run);
  return { meanMs: all.meanMs, p99Ms: all.quantileMs(0.99), halfWidthFraction: T * Math.sqrt(variance / RUNS) };
}
