/**
 * Pipelines of IPA (JSys 2024) with published points from the reference data. Points whose p99 is below batch ÷
 * throughput are omitted and named. Points whose throughput is within 5 % of the offered profiling load (20 rps) are
 * censored. They are kept and named, and can only make variants look slower. Filled points come from
 * filled-points.json; no claim rests on such a pipeline.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type PipelineSpec,
  type ProfilePoint,
  type StagePins,
  type StageSpec,
  stageId,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import { type GridPipeline, type GridStage, grid } from './grid.js';

export interface LiteraturePipeline {
  readonly name: string;
  readonly spec: PipelineSpec;
  readonly leftOut: readonly string[];
  readonly censored: readonly string[];
  /** Number of filled points; 0 if all are measured. */
  readonly filled: number;
}

interface NamedPoint {
  readonly variant: string;
  readonly point: ProfilePoint;
}

type Row = Readonly<Record<string, string>>;

const OFFERED_RPS = 20;
const CENSORED_WITHIN = 0.05;
const MOST_REPLICAS = 128;

/** Rows of a reference table by column name. */
export function referenceRows(referenceDir: string, file: string): readonly Row[] {
  const lines = readFileSync(join(referenceDir, 'ipa', file), 'utf8').split(/\r?\n/);
  const [head = '', ...rows] = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const names = head.split(',');
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [names[i] ?? '', cell])));
}

const ms = (seconds: string | undefined): number | undefined =>
  seconds === undefined || seconds === '' ? undefined : 1000 * Number(seconds);

/** Measured points of a stage: those of the optimizer for video, those of the final profiling series for others. */
function measuredPoints(referenceDir: string, stage: GridStage): readonly NamedPoint[] {
  const video = stage.series === undefined;
  const rows = referenceRows(referenceDir, video ? 'profiles_optimizer_video.csv' : 'profiles_from_notebooks.csv');
  return rows
    .filter((row) => row['stage'] === stage.profile && (video || row['profiling_series'] === stage.series))
    .map((row) => {
      const p99Ms = ms(row['latency_s']) ?? ms(row['latency_p99_s']);
      const point: ProfilePoint = {
        cpuCores: Number(row['cores']),
        batchSize: Number(row['batch'] ?? row['max_batch']),
        throughputRps: Number(row['throughput_rps'] ?? row['throughput_max_rps']),
        ...(p99Ms !== undefined && { p99Ms }),
      };
      return { variant: row['variant'] ?? '', point };
    });
}

interface FilledPoint extends ProfilePoint {
  readonly variant: string;
  readonly filled: true;
}

function filledPoints(stage: GridStage): readonly NamedPoint[] {
  const { points } = JSON.parse(readFileSync(new URL('filled-points.json', import.meta.url), 'utf8')) as {
    readonly points: Readonly<Record<string, readonly FilledPoint[]>>;
  };
  return (points[stage.id] ?? []).map(({ variant, filled: _, ...point }) => ({ variant, point }));
}

const isConsistent = ({ point: { batchSize, throughputRps = 0, p99Ms } }: NamedPoint): boolean =>
  p99Ms === undefined || p99Ms >= (1000 * batchSize) / throughputRps;

const isCensored = ({ point: { throughputRps = 0 } }: NamedPoint): boolean =>
  Math.abs(throughputRps / OFFERED_RPS - 1) <= CENSORED_WITHIN;

const nameOf = ({ variant, point }: NamedPoint): string =>
  `${variant} on ${point.cpuCores} ${point.cpuCores === 1 ? 'core' : 'cores'}, batch ${point.batchSize}`;

function variantsOf(points: readonly NamedPoint[], accuracyOf: (variant: string) => number): readonly VariantSpec[] {
  return [...new Set(points.map(({ variant }) => variant))].map((variant) => {
    const own = points.filter((p) => p.variant === variant).map(({ point }) => point);
    const profile = own.toSorted((a, b) => a.cpuCores - b.cpuCores || a.batchSize - b.batchSize);
    return {
      id: variantId(variant),
      accuracy: { value: accuracyOf(variant), metric: 'published' },
      cpuCores: [...new Set(profile.map((point) => point.cpuCores))],
      memoryBytes: 0,
      gpus: 0,
      loadMs: grid.loadMs,
      profile,
      parameters: {},
    };
  });
}

/** Published accuracies of a stage (fractions) by variant. */
function accuraciesOf(referenceDir: string, pipeline: string, stage: GridStage): (variant: string) => number {
  const rows = referenceRows(referenceDir, 'variants.csv').filter(
    (row) => row['pipeline'] === pipeline && row['stage'] === stage.inVariants,
  );
  const known = new Map(rows.map((row) => [row['variant'], Number(row['accuracy_pct']) / 100]));
  return (variant) => {
    const accuracy = known.get(variant);
    if (accuracy === undefined) throw new Error(`no accuracy for ${variant} of ${pipeline}`);
    return accuracy;
  };
}

function specOf(name: string, { sloMs, weights }: GridPipeline, stages: readonly StageSpec[]): PipelineSpec {
  const ids = stages.map(({ id }) => id);
  const [first, last] = [ids.at(0) as StageSpec['id'], ids.at(-1) as StageSpec['id']];
  return {
    name,
    baseDir: '.',
    slo: { latencyMs: sloMs, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'weights', ...weights },
    sources: [{ name: 'in', to: [first], tensors: [] }],
    stages,
    edges: ids.slice(1).map((to, i) => ({ from: ids[i] as StageSpec['id'], to })),
    outputs: [{ from: last }],
    control: { mode: 'auto', intervalMs: grid.intervalMs, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: grid.maxQueueLength },
  };
}

export function literaturePipeline(referenceDir: string, name: string): LiteraturePipeline {
  const described = grid.pipelines[name];
  if (described === undefined) throw new Error(`the grid has no pipeline ${name}`);
  const byStage = described.stages.map((stage) => {
    const published = accuraciesOf(referenceDir, name, stage);
    const known = new Set(
      referenceRows(referenceDir, 'variants.csv')
        .filter((row) => row['pipeline'] === name && row['stage'] === stage.inVariants)
        .map((row) => row['variant']),
    );
    const measured = measuredPoints(referenceDir, stage).filter(({ variant }) => known.has(variant));
    const filled = filledPoints(stage);
    const usable = [...measured.filter(isConsistent), ...filled];
    const bounds = { minReplicas: 1, maxReplicas: MOST_REPLICAS, maxBatchWaitMs: 0 };
    const spec: StageSpec = {
      id: stageId(stage.id),
      kind: 'model',
      bounds,
      pins: {},
      variants: variantsOf(usable, published),
    };
    return { spec, measured, filled };
  });
  const measured = byStage.flatMap((stage) => stage.measured);
  return {
    name,
    spec: specOf(
      name,
      described,
      byStage.map((stage) => stage.spec),
    ),
    leftOut: measured.filter((point) => !isConsistent(point)).map(nameOf),
    censored: measured.filter((point) => isConsistent(point) && isCensored(point)).map(nameOf),
    filled: byStage.reduce((sum, { filled }) => sum + filled.length, 0),
  };
}

export function withPins(spec: PipelineSpec, pins: Readonly<Record<string, StagePins>> | undefined): PipelineSpec {
  if (pins === undefined) return spec;
  return { ...spec, stages: spec.stages.map((stage) => ({ ...stage, pins: pins[stage.id] ?? stage.pins })) };
}
