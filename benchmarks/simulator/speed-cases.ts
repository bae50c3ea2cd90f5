/**
 * Timed pipelines with everything on: lognormal service times from profile points, deadlines, early drops, bounded
 * queues, counts and histograms. Two replicas per stage; service s(k) = 5 + 5k ms with a p99 of 1.5 times the mean.
 */
import type { PipelineSpec } from '@equipoise/core/model';
import { chainSpec } from '../../packages/core/src/model/spec-builders.test-support.js';

/** `arrivalRps` counts whole requests. */
export interface SpeedCase {
  readonly name: string;
  readonly spec: PipelineSpec;
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly arrivalRps: number;
  /** Stage-requests (items) per request. */
  readonly itemsPerRequest: number;
}

const LOAD_FACTOR = 0.8;
const REPLICAS = 2;
const FAN_OUT = 4;
/** Tight enough for some drops. */
const SLO_MS = { 1: 140, 8: 260 } as const;
type CaseBatchSize = keyof typeof SLO_MS;

const serviceMs = (batchSize: number): number => 5 + 5 * batchSize;

function points(maxBatchSize: number) {
  return [1, 2, 4, 8]
    .filter((batchSize) => batchSize <= maxBatchSize)
    .map((batchSize) => ({
      cpuCores: 1,
      batchSize,
      meanMs: serviceMs(batchSize),
      p99Ms: 1.5 * serviceMs(batchSize),
    }));
}

const capacityRps = (maxBatchSize: number): number => (1000 * REPLICAS * maxBatchSize) / serviceMs(maxBatchSize);

function chain(maxBatchSize: CaseBatchSize): SpeedCase {
  const stage = points(maxBatchSize);
  const spec = {
    ...chainSpec({ a: stage, b: stage, c: stage }),
    slo: { latencyMs: SLO_MS[maxBatchSize], percentile: 99 },
  };
  const arrivalRps = LOAD_FACTOR * capacityRps(maxBatchSize);
  return { name: `chain b=${maxBatchSize}`, spec, maxBatchSize, replicas: REPLICAS, arrivalRps, itemsPerRequest: 3 };
}

function fanOut(maxBatchSize: CaseBatchSize): SpeedCase {
  const stage = points(maxBatchSize);
  const base = chainSpec({ detect: stage, classify: stage, combine: stage });
  const edges = base.edges.map((edge, i) =>
    i === 0 ? { ...edge, fanOut: { expected: FAN_OUT } } : { ...edge, join: 'all' as const },
  );
  const spec = { ...base, edges, slo: { latencyMs: SLO_MS[maxBatchSize], percentile: 99 } };
  const arrivalRps = (LOAD_FACTOR * capacityRps(maxBatchSize)) / FAN_OUT;
  return { name: 'fan-out 4', spec, maxBatchSize, replicas: REPLICAS, arrivalRps, itemsPerRequest: 2 + FAN_OUT };
}

/** Cases by the name of their bar. */
export const speedCases = { batches: chain(8), singles: chain(1), fanOut: fanOut(8) } as const;
