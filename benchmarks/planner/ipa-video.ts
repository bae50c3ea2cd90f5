/**
 * Video pipeline of IPA (JSys 2024) with its measured latency and throughput points from the reference data. Points
 * whose p99 is below batch ÷ throughput are omitted and named.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stageId, variantId } from '../../packages/core/src/model/ids.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../../packages/core/src/model/pipeline-spec.js';
import type { ProfilePoint } from '../../packages/core/src/model/profile-point.js';

export interface VideoPipeline {
  readonly spec: PipelineSpec;
  readonly leftOut: readonly string[];
}

const SLO_MS = 6890;
const MOST_REPLICAS = 64;

function rowsOf(path: string): readonly (readonly string[])[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .slice(1)
    .map((line) => line.split(','));
}

interface VideoPoint {
  readonly variant: string;
  readonly point: ProfilePoint;
  readonly consistent: boolean;
}

function pointsOf(directory: string, stage: string): readonly VideoPoint[] {
  return rowsOf(join(directory, 'ipa', 'profiles_optimizer_video.csv'))
    .filter(([name]) => name === stage)
    .map(([, variant = '', cores, batch, latencyS, rps]) => {
      const batchSize = Number(batch);
      const p99Ms = 1000 * Number(latencyS);
      const throughputRps = Number(rps);
      const consistent = p99Ms >= (1000 * batchSize) / throughputRps;
      return { variant, consistent, point: { cpuCores: Number(cores), batchSize, p99Ms, throughputRps } };
    });
}

function accuracies(directory: string): ReadonlyMap<string, number> {
  const rows = rowsOf(join(directory, 'ipa', 'variants.csv')).filter(([pipeline]) => pipeline === 'video');
  return new Map(rows.map((row) => [row[3] as string, Number(row[5]) / 100]));
}

function stageOf(directory: string, name: string): StageSpec {
  const points = pointsOf(directory, name).filter(({ consistent }) => consistent);
  const accuracy = accuracies(directory);
  const variants = [...new Set(points.map(({ variant }) => variant))].map((variant): VariantSpec => {
    const own = points.filter((p) => p.variant === variant).map(({ point }) => point);
    return {
      id: variantId(variant),
      accuracy: { value: accuracy.get(variant) as number, metric: 'accuracy' },
      cpuCores: [...new Set(own.map((point) => point.cpuCores))].sort((a, b) => a - b),
      memoryBytes: 0,
      gpus: 0,
      profile: own,
      parameters: {},
    };
  });
  const bounds = { minReplicas: 1, maxReplicas: MOST_REPLICAS, maxBatchWaitMs: 0 };
  return { id: stageId(name), kind: 'model', variants, bounds, pins: {} };
}

export function videoPipeline(directory: string): VideoPipeline {
  const names = ['yolo', 'resnet'];
  const stages = names.map((name) => stageOf(directory, name));
  const leftOut = names.flatMap((name) =>
    pointsOf(directory, name)
      .filter(({ consistent }) => !consistent)
      .map(({ variant, point }) => `${variant} on ${point.cpuCores} cores, batch ${point.batchSize}`),
  );
  const [yolo, resnet] = names.map(stageId);
  const spec: PipelineSpec = {
    name: 'video',
    baseDir: '.',
    slo: { latencyMs: SLO_MS, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: [yolo as StageSpec['id']], tensors: [] }],
    stages,
    edges: [{ from: yolo as StageSpec['id'], to: resnet as StageSpec['id'] }],
    outputs: [{ from: resnet as StageSpec['id'] }],
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 1000 },
  };
  return { spec, leftOut };
}
