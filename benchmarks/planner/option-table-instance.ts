/**
 * Chain with an option table as large as that of the solver instances: 10 variants × 7 batch sizes × 5 whole core
 * counts × 4 replicas.
 */
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { stageId, variantId } from '../../packages/core/src/model/ids.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../../packages/core/src/model/pipeline-spec.js';
import type { PlanningProblem } from '../../packages/core/src/optimize/planning-problem.js';

const VARIANTS = 10;
const BATCHES = [1, 2, 4, 8, 16, 32, 64];
const CORES = [1, 2, 4, 8, 16];
const REPLICAS = 4;

function variantOf(index: number, rng: SeededRng): VariantSpec {
  const serviceMs = 4 * 1.3 ** index * (0.9 + 0.2 * rng.next());
  const fixedShare = 0.2 + 0.5 * rng.next();
  return {
    id: variantId(`v${index}`),
    accuracy: { value: 0.6 + 0.035 * index, metric: 'accuracy' },
    cpuCores: CORES,
    memoryBytes: 0,
    gpus: 0,
    profile: CORES.flatMap((cpuCores) =>
      BATCHES.map((batchSize) => {
        const meanMs = (serviceMs * (fixedShare + (1 - fixedShare) * batchSize)) / cpuCores ** 0.85;
        return { cpuCores, batchSize, meanMs, p99Ms: 1.2 * meanMs };
      }),
    ),
    parameters: {},
  };
}

/** Problem of a seed at 8 rps: one replica suffices for every option, and each option has four replica counts. */
export function optionTableProblem(stages: number, seed: number): PlanningProblem {
  const rng = new SeededRng(seed);
  const list = Array.from({ length: stages }, (_, s): StageSpec => {
    const own = new SeededRng(seed * 100 + s);
    return {
      id: stageId(`s${s}`),
      kind: 'model',
      variants: Array.from({ length: VARIANTS }, (__, v) => variantOf(v, own)),
      bounds: { minReplicas: 1, maxReplicas: REPLICAS, maxBatchWaitMs: 0 },
      pins: {},
    };
  });
  const ids = list.map((stage) => stage.id);
  const spec: PipelineSpec = {
    name: 'table',
    baseDir: '.',
    slo: { latencyMs: 100 * stages * (1 + rng.next()), percentile: 99 },
    budget: { cpuCores: 16 * stages },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: ids.slice(0, 1), tensors: [] }],
    stages: list,
    edges: ids.slice(1).map((to, i) => ({ from: ids[i] as StageSpec['id'], to })),
    outputs: ids.slice(-1).map((from) => ({ from })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 1000 },
  };
  return { spec, profiles: [], arrivalRps: 8, estimator: 'distribution' };
}
