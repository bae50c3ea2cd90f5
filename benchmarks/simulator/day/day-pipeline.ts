/**
 * Pipeline of the day: detect → classify × 3 → count, like shelf-scan without decoding, on CPU shares of a small
 * machine. Synthetic service times, affine in the batch size, with a p99 of 1.3 times the mean.
 */
import { type PipelineSpec, type ProfilePoint, stageId, type VariantSpec, variantId } from '@equipoise/core/model';

interface Model {
  readonly name: string;
  readonly accuracy: number;
  /** Service time on one core. */
  readonly perBatchMs: number;
  readonly perItemMs: number;
}

const SHARES = [0.25, 0.5, 0.75, 1];
const TAIL = 1.3;

const detectors: readonly Model[] = [
  { name: 'xs', accuracy: 0.66, perBatchMs: 2, perItemMs: 3 },
  { name: 's', accuracy: 0.87, perBatchMs: 2, perItemMs: 6 },
  { name: 'm', accuracy: 0.942, perBatchMs: 3, perItemMs: 12 },
  { name: 'l', accuracy: 0.976, perBatchMs: 4, perItemMs: 24 },
];

const classifiers: readonly Model[] = [
  { name: 'xs', accuracy: 0.75, perBatchMs: 0.5, perItemMs: 0.5 },
  { name: 's', accuracy: 0.828, perBatchMs: 0.8, perItemMs: 1.2 },
  { name: 'm', accuracy: 0.871, perBatchMs: 1.2, perItemMs: 3 },
  { name: 'l', accuracy: 0.893, perBatchMs: 2, perItemMs: 8 },
];

const tally: Model = { name: 'tally', accuracy: 1, perBatchMs: 0.2, perItemMs: 0.1 };

function variantOf({ name, accuracy, perBatchMs, perItemMs }: Model, batchSizes: readonly number[]): VariantSpec {
  const profile = batchSizes.map((batchSize): ProfilePoint => {
    const meanMs = perBatchMs + perItemMs * batchSize;
    return { cpuCores: 1, batchSize, meanMs, p99Ms: TAIL * meanMs };
  });
  return {
    id: variantId(name),
    accuracy: { value: accuracy, metric: 'accuracy' },
    cpuCores: SHARES,
    memoryBytes: 0,
    gpus: 0,
    loadMs: 700,
    profile,
    parameters: {},
  };
}

function stageOf(name: string, models: readonly Model[], batchSizes: readonly number[]) {
  return {
    id: stageId(name),
    kind: name === 'count' ? ('transform' as const) : ('model' as const),
    variants: models.map((model) => variantOf(model, batchSizes)),
    bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
    pins: {},
  };
}

/** SLO: 99 % within 500 ms; budget: two cores. */
export const dayPipeline: PipelineSpec = {
  name: 'shelf-day',
  baseDir: '.',
  slo: { latencyMs: 500, percentile: 99 },
  budget: { cpuCores: 2 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [{ name: 'image', to: [stageId('detect')], tensors: [] }],
  stages: [
    stageOf('detect', detectors, [1, 2, 4]),
    stageOf('classify', classifiers, [1, 2, 4, 8]),
    stageOf('count', [tally], [1, 2, 4, 8]),
  ],
  edges: [
    { from: stageId('detect'), to: stageId('classify'), fanOut: { expected: 3 } },
    { from: stageId('classify'), to: stageId('count'), join: 'all' },
  ],
  outputs: [{ from: stageId('count') }],
  control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 30_000 },
  admission: { maxQueueLength: 1000 },
};
