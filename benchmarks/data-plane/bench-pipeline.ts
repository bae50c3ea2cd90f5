/**
 * Pipelines for benchmarks of the data plane: the real runner, actuator and drop rule, with replicas that only wait.
 */
import { fileURLToPath } from 'node:url';
import {
  EmbeddedActuator,
  launcherFor,
  ProcessReplicaLauncher,
  SyntheticReplicaLauncher,
  ThreadReplicaLauncher,
} from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import {
  defaultPriorities,
  type Isolation,
  type PipelineSpec,
  type Plan,
  SeededRng,
  type StageSpec,
  servedAnswerMarginMs,
  stageId,
  type TensorMap,
  variantId,
} from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import { ServingPolicies } from '@equipoise/core/simulate';
import { PipelineRunner } from '@equipoise/runtime';

/** A batch takes `baseMs`, plus `itemMs` per item. */
export interface BenchStage {
  readonly name: string;
  readonly baseMs: number;
  readonly itemMs: number;
  readonly maxBatchSize: number;
  readonly replicas: number;
  /** Kind and load time of replicas that load. Without `loads`, the stage is synthetic. */
  readonly loads?: { readonly isolation: Isolation; readonly loadMs: number };
}

/** A pipeline that serves until it is closed. */
export interface BenchPipeline {
  readonly spec: PipelineSpec;
  readonly runner: PipelineRunner;
  close(): Promise<void>;
}

const KILOBYTE_OF_FLOATS = 256;
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

/** A request of 1 KB. */
export function benchRequest(): TensorMap {
  const data = new Float32Array(KILOBYTE_OF_FLOATS);
  return { x: { datatype: 'FP32', shape: [KILOBYTE_OF_FLOATS], data } };
}

/** Capacity of the slowest stage in items per second. */
export function nominalRps(stages: readonly BenchStage[]): number {
  return Math.min(...stages.map((stage) => (1000 * stage.maxBatchSize * stage.replicas) / fullBatchMs(stage)));
}

/** Starts a chain with its plan in force. The SLO latency is also the time-out of every request. */
export async function startBenchPipeline(stages: readonly BenchStage[], sloLatencyMs: number): Promise<BenchPipeline> {
  const spec = specOf(stages, sloLatencyMs);
  const curves = requireCurves(spec, []);
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
  const policies = new ServingPolicies(spec, curves, (id, policy) => runner.setPolicy(id, policy));
  const actuator = new EmbeddedActuator(spec, {
    pool: runner,
    launcher: launcher(stages),
    adopt: (id, to) => policies.adopt(id, to),
  });
  for (const change of diffPlans(actuator.runningPlan(), planOf(stages), spec)) await actuator.apply(change);
  return { spec, runner, close: () => actuator.close() };
}

function launcher(stages: readonly BenchStage[]): ReplicaLauncher {
  const synthetic = new SyntheticReplicaLauncher({
    rng: new SeededRng(1),
    serviceMs: ({ stage: { id } }, size) => {
      const { baseMs, itemMs } = stages.find(({ name }) => name === id) as BenchStage;
      return baseMs + itemMs * size;
    },
  });
  const unused: ReplicaLauncher = { launch: () => Promise.reject(new Error('no such replica in this benchmark')) };
  const process = new ProcessReplicaLauncher();
  const thread = new ThreadReplicaLauncher();
  return launcherFor({ thread, process, python: unused, synthetic, remote: unused, command: unused });
}

function specOf(stages: readonly BenchStage[], sloLatencyMs: number): PipelineSpec {
  const ids = stages.map(({ name }) => stageId(name));
  return {
    name: 'bench',
    baseDir: fileURLToPath(new URL('.', import.meta.url)),
    slo: { latencyMs: sloLatencyMs, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: ids.slice(0, 1), tensors: [] }],
    stages: stages.map(stageSpec),
    edges: ids.slice(1).map((to, index) => ({ from: ids[index] as typeof to, to })),
    outputs: ids.slice(-1).map((from) => ({ from })),
    control: { mode: 'off', intervalMs: 10_000, minDwellMs: 0 },
    admission: {
      ...{ maxQueueLength: 1000, maxWaitFraction: 0.8, maxInFlightBytes: 268_435_456 },
      ...{ priorities: defaultPriorities, answerMarginMs: servedAnswerMarginMs({ latencyMs: sloLatencyMs }) },
    },
  };
}

function stageSpec(stage: BenchStage): StageSpec {
  const { name, baseMs, itemMs, maxBatchSize, loads } = stage;
  const profile = Array.from({ length: maxBatchSize }, (_, index) => ({
    ...{ cpuCores: 1, batchSize: index + 1, meanMs: baseMs + itemMs * (index + 1) },
  }));
  return {
    id: stageId(name),
    kind: 'transform',
    ...(loads && { module: './sleeping-stage.mjs', isolation: loads.isolation }),
    variants: [
      {
        ...{ id: variantId('v'), cpuCores: [1], memoryBytes: 0, gpus: 0, profile },
        parameters: { loadMs: loads?.loadMs, baseMs, itemMs },
      },
    ],
    bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
    pins: {},
  };
}

function planOf(stages: readonly BenchStage[]): Plan {
  const stagePlans = stages.map(({ name, maxBatchSize, replicas }) => {
    const plan = {
      variantId: variantId('v'),
      resources,
      maxBatchSize,
      maxBatchWaitMs: 0,
      replicas,
      trafficFraction: 1,
    };
    return [name, [plan]] as const;
  });
  return {
    stages: Object.fromEntries(stagePlans),
    predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

function fullBatchMs({ baseMs, itemMs, maxBatchSize }: BenchStage): number {
  return baseMs + itemMs * maxBatchSize;
}
