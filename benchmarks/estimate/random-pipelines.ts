/**
 * Pipelines for measuring the composition over the graph: two to four stages, drawn with a fixed seed. Chains, a
 * fan-out of 2–8 items with its join, and forks whose branches meet. Each stage has a load factor of 0.3–0.85, 1–16
 * replicas, a cap of 1–32 (log-uniform), an affine curve, and full-batch times of 5–400 ms. Poisson arrivals.
 */
import type { StageConfiguration } from '../../packages/core/src/estimate/pipeline-latency.js';
import { stageLoads } from '../../packages/core/src/estimate/stage-load.js';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { type StageId, stageId, variantId } from '../../packages/core/src/model/ids.js';
import type { EdgeSpec, PipelineSpec, StageSpec } from '../../packages/core/src/model/pipeline-spec.js';
import { serviceCurve } from '../../packages/core/src/profile/service-curves.js';

export interface RandomPipeline {
  readonly shape: 'chain' | 'fan-out' | 'fork';
  readonly spec: PipelineSpec;
  readonly stages: ReadonlyMap<StageId, StageConfiguration>;
  readonly arrivalRps: number;
}

interface Graph {
  readonly shape: RandomPipeline['shape'];
  readonly stageCount: number;
  readonly edges: readonly EdgeSpec[];
}

const SHORTEST_MS = 5;
const LONGEST_MS = 400;
export const VARIANT = variantId('v');

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();
const logBetween = (rng: Rng, low: number, high: number): number => low * (high / low) ** rng.next();
const whole = (rng: Rng, low: number, high: number): number => low + Math.floor((high - low + 1) * rng.next());
const named = (index: number): StageId => stageId(`s${index}`);

function chainOf(stageCount: number): Graph {
  const edges = Array.from({ length: stageCount - 1 }, (_, i) => ({ from: named(i), to: named(i + 1) }));
  return { shape: 'chain', stageCount, edges };
}

const chain = (rng: Rng): Graph => chainOf(whole(rng, 2, 4));

/** Chain of model-free stages s0, s1, …. */
export const chainSpec = (stageCount: number): PipelineSpec => specOf(chainOf(stageCount));

function fanOut(rng: Rng): Graph {
  const expected = whole(rng, 2, 8);
  const edges: EdgeSpec[] = [
    { from: named(0), to: named(1), fanOut: { expected } },
    { from: named(1), to: named(2), join: 'all' },
  ];
  if (rng.next() < 0.5) return { shape: 'fan-out', stageCount: 3, edges };
  return { shape: 'fan-out', stageCount: 4, edges: [...edges, { from: named(2), to: named(3) }] };
}

function fork(rng: Rng): Graph {
  const edges: EdgeSpec[] = [
    { from: named(0), to: named(1) },
    { from: named(0), to: named(2) },
  ];
  if (rng.next() < 0.3) return { shape: 'fork', stageCount: 3, edges };
  const ends: EdgeSpec[] = [
    { from: named(1), to: named(3) },
    { from: named(2), to: named(3) },
  ];
  return { shape: 'fork', stageCount: 4, edges: [...edges, ...ends] };
}

function stageOf(index: number): StageSpec {
  const variant = { id: VARIANT, cpuCores: [1], memoryBytes: 0, gpus: 0, parameters: {} };
  return {
    id: named(index),
    kind: 'transform',
    variants: [variant],
    bounds: { minReplicas: 1, maxReplicas: 16, maxBatchWaitMs: 0 },
    pins: {},
  };
}

function specOf({ stageCount, edges }: Graph): PipelineSpec {
  const stages = Array.from({ length: stageCount }, (_, i) => stageOf(i));
  const ends = stages.filter((stage) => !edges.some((edge) => edge.from === stage.id));
  return {
    name: 'random',
    baseDir: '.',
    slo: { latencyMs: 1000, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: [named(0)], tensors: [] }],
    stages,
    edges,
    outputs: ends.map((stage) => ({ from: stage.id })),
    control: { mode: 'off', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 1_000_000 },
  };
}

/** A stage with load factor 0.3–0.85; undefined if the stage's full batch would be too short or too long. */
function configuration(rng: Rng, arrivalRps: number): StageConfiguration | undefined {
  const replicas = whole(rng, 1, 16);
  const maxBatchSize = Math.round(logBetween(rng, 1, 32));
  const fixedShare = between(rng, 0, 0.9);
  const cv = between(rng, 0, 0.15);
  const fullMs = (1000 * between(rng, 0.3, 0.85) * replicas * maxBatchSize) / arrivalRps;
  if (fullMs < SHORTEST_MS || fullMs > LONGEST_MS) return undefined;
  const unitMs = fullMs / (fixedShare + (1 - fixedShare) * maxBatchSize);
  const sigma = Math.sqrt(Math.log1p(cv * cv));
  const points = [...new Set([1, maxBatchSize])].map((batchSize) => {
    const meanMs = unitMs * (fixedShare + (1 - fixedShare) * batchSize);
    return { batchSize, law: { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma } as const };
  });
  return { curve: serviceCurve(1, 1, points), replicas, maxBatchSize };
}

function configured(rng: Rng, arrivalRps: number): StageConfiguration {
  for (;;) {
    const found = configuration(rng, arrivalRps);
    if (found !== undefined) return found;
  }
}

function randomPipeline(rng: Rng): RandomPipeline {
  const graph = ([chain, fanOut, fork][whole(rng, 0, 2)] as (rng: Rng) => Graph)(rng);
  const spec = specOf(graph);
  const arrivalRps = logBetween(rng, 10, 400);
  const loads = stageLoads(spec, arrivalRps);
  const stages = new Map([...loads].map(([id, load]) => [id, configured(rng, load.arrivalRps)]));
  return { shape: graph.shape, spec, stages, arrivalRps };
}

export function randomPipelines(count: number, seed: number): readonly RandomPipeline[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: count }, () => randomPipeline(rng));
}
