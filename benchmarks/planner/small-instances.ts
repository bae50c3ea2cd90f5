/**
 * Pipelines small enough to simulate every plan: chains of one to three stages, and a fan-out with join. Each stage has
 * two variants, batches up to 8, and up to three replicas of one core. The rate makes some replica counts barely
 * stable. SLO and budget are close to the needs of two random plans.
 */
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { stageId, variantId } from '../../packages/core/src/model/ids.js';
import type { EdgeSpec, PipelineSpec, StageSpec, VariantSpec } from '../../packages/core/src/model/pipeline-spec.js';
import { prepareProblem } from '../../packages/core/src/optimize/options/prepared-problem.js';
import type { StageOption } from '../../packages/core/src/optimize/options/stage-option.js';
import type { PlanningProblem } from '../../packages/core/src/optimize/planning-problem.js';
import { planOf } from '../../packages/core/src/optimize/search/plan-of.js';

export interface SmallInstance {
  readonly shape: 'chain' | 'fan-out';
  readonly problem: PlanningProblem;
  readonly accuracyFloor: number;
}

const BATCHES = [1, 8];
const REPLICAS = 3;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();
const pick = <T>(rng: Rng, items: readonly T[]): T => items[Math.floor(rng.next() * items.length)] as T;

function variantOf(name: string, serviceMs: number, rng: Rng): VariantSpec {
  const fixedShare = between(rng, 0.3, 0.8);
  const tail = between(rng, 1.05, 1.6);
  return {
    id: variantId(name),
    accuracy: { value: 0, metric: 'accuracy' },
    cpuCores: [1],
    memoryBytes: 0,
    gpus: 0,
    profile: BATCHES.map((batchSize) => {
      const meanMs = serviceMs * (fixedShare + (1 - fixedShare) * batchSize);
      return { cpuCores: 1, batchSize, meanMs, p99Ms: meanMs * tail };
    }),
    parameters: {},
  };
}

function stageOf(name: string, rng: Rng): StageSpec {
  const serviceMs = between(rng, 5, 30);
  const accuracy = between(rng, 0.5, 0.85);
  const small = variantOf('small', serviceMs, rng);
  const large = variantOf('large', serviceMs * between(rng, 1.3, 3), rng);
  const withAccuracy = (variant: VariantSpec, value: number): VariantSpec => ({
    ...variant,
    accuracy: { value, metric: 'accuracy' },
  });
  return {
    id: stageId(name),
    kind: 'model',
    variants: [withAccuracy(small, accuracy), withAccuracy(large, Math.min(0.98, accuracy * between(rng, 1.03, 1.2)))],
    bounds: { minReplicas: 1, maxReplicas: REPLICAS, maxBatchWaitMs: 0 },
    pins: {},
  };
}

function specOf(shape: SmallInstance['shape'], stages: readonly StageSpec[], rng: Rng): PipelineSpec {
  const fanOut = { fanOut: { expected: Math.floor(between(rng, 2, 5)) } };
  const edges = stages.slice(1).map((stage, i): EdgeSpec => {
    const edge = { from: (stages[i] as StageSpec).id, to: stage.id };
    if (shape === 'chain') return edge;
    return i === 0 ? { ...edge, ...fanOut } : { ...edge, join: 'all' };
  });
  return {
    name: shape,
    baseDir: '.',
    slo: { latencyMs: 1e9, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: [(stages[0] as StageSpec).id], tensors: [] }],
    stages,
    edges,
    outputs: [{ from: (stages.at(-1) as StageSpec).id }],
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 1000 },
  };
}

/** Rate at which one replica of the small variants has the drawn load factor at the slowest stage. */
function drawnRate(problem: PlanningProblem, rng: Rng): number {
  const { stages } = prepareProblem({ ...problem, arrivalRps: 1e-3 });
  const perRequest = stages.map(({ load, stage, curveOf }) => {
    const curve = curveOf(stage.variants[0]?.id ?? variantId(''), 1);
    return (load.visits * (curve?.meanMs(8) ?? 1)) / 8;
  });
  return (between(rng, 0.5, 2.4) * 1000) / Math.max(...perRequest);
}

export function smallInstance(seed: number): SmallInstance {
  const rng = new SeededRng(seed);
  const shape = seed % 4 === 3 ? 'fan-out' : 'chain';
  const names = shape === 'fan-out' ? ['a', 'b', 'c'] : ['a', 'b', 'c'].slice(0, 1 + (seed % 3));
  const spec = specOf(
    shape,
    names.map((name) => stageOf(name, rng.fork(name))),
    rng,
  );
  const unlimited: PlanningProblem = { spec, profiles: [], arrivalRps: 1, estimator: 'distribution' };
  const problem = { ...unlimited, arrivalRps: drawnRate(unlimited, rng) };
  const prepared = prepareProblem(problem);
  const drawn = (): readonly StageOption[] => prepared.options.map((options) => pick(rng, options));
  const { latencyMs } = planOf(prepared, drawn()).predicted;
  const { cpuCores } = planOf(prepared, drawn()).predicted;
  const slo = { latencyMs: latencyMs * between(rng, 0.8, 1.3), percentile: 99 };
  const limited = {
    ...spec,
    slo,
    budget: { cpuCores: Math.max(names.length, Math.round(cpuCores * between(rng, 0.8, 1.2))) },
  };
  const accuracyFloor = between(rng, 0.8, 1) * planOf(prepared, drawn()).predicted.pas;
  return { shape, problem: { ...problem, spec: limited }, accuracyFloor };
}
