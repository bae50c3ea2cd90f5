/** A pipeline of two synthetic stages, three variants each, that start within half a second. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineSpec, type ProfilePoint, type StageSpec, stageId, variantId } from '@equipoise/core/model';

interface Model {
  readonly name: string;
  readonly accuracy: number;
  readonly perBatchMs: number;
  readonly perItemMs: number;
}

const LOAD_MS = 500;
const TAIL = 1.3;
const BATCH_SIZES = [1, 2, 4];

const detectors: readonly Model[] = [
  { name: 's', accuracy: 0.6, perBatchMs: 3, perItemMs: 9 },
  { name: 'm', accuracy: 0.75, perBatchMs: 4, perItemMs: 20 },
  { name: 'l', accuracy: 0.85, perBatchMs: 6, perItemMs: 42 },
];

const classifiers: readonly Model[] = [
  { name: 's', accuracy: 0.7, perBatchMs: 2, perItemMs: 4 },
  { name: 'm', accuracy: 0.8, perBatchMs: 2, perItemMs: 9 },
  { name: 'l', accuracy: 0.88, perBatchMs: 3, perItemMs: 20 },
];

function stageOf(name: string, models: readonly Model[]): StageSpec {
  const profileOf = ({ perBatchMs, perItemMs }: Model): readonly ProfilePoint[] =>
    [1, 2].flatMap((cpuCores) =>
      BATCH_SIZES.map((batchSize) => {
        const meanMs = (perBatchMs + perItemMs * batchSize) / cpuCores ** 0.8;
        return { cpuCores, batchSize, meanMs, p99Ms: TAIL * meanMs };
      }),
    );
  return {
    id: stageId(name),
    kind: 'model',
    variants: models.map((model) => ({
      ...{ id: variantId(model.name), accuracy: { value: model.accuracy, metric: 'accuracy' } },
      ...{ cpuCores: [1, 2], memoryBytes: 0, gpus: 0, loadMs: LOAD_MS, profile: profileOf(model), parameters: {} },
    })),
    bounds: { minReplicas: 1, maxReplicas: 32, maxBatchWaitMs: 0 },
    pins: {},
  };
}

/** The pipeline, with its own folder for saved state. */
export function servedPipeline(): PipelineSpec {
  return {
    name: 'served',
    baseDir: mkdtempSync(join(tmpdir(), 'equipoise-served-')),
    slo: { latencyMs: 500, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: [stageId('detect')], tensors: [] }],
    stages: [stageOf('detect', detectors), stageOf('classify', classifiers)],
    edges: [{ from: stageId('detect'), to: stageId('classify') }],
    outputs: [{ from: stageId('classify') }],
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 30_000 },
    admission: { maxQueueLength: 1000 },
  };
}
