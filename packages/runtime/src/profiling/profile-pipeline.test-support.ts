/** Toy pipelines, and a launcher whose replicas take known times on a manual clock. */
import { resolve } from 'node:path';
import {
  AppError,
  type PipelineSpec,
  type StageSpec,
  stageId,
  type Tensor,
  type TensorMap,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import type { BatchResult, LaunchRequest, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import type { MachineFingerprint } from './machine-fingerprint.js';
import type { LaunchRules } from './profile-identity.js';
import { type ProfileRequest, profilePipeline } from './profile-pipeline.js';

export const machine: MachineFingerprint = {
  cpuModel: 'test',
  coresAvailable: 2,
  memoryGib: 8,
  platform: 'linux',
  arch: 'x64',
  nodeVersion: 'v20',
};

/** Finds files by their path alone, and runs every stage in a thread. */
export const rules: LaunchRules = {
  locate: (reference, baseDir) => resolve(baseDir, reference),
  runtimeOf: () => ({ isolation: 'thread' }),
};

export class CountedNeighbours {
  busy = 0;
  readonly keepBusy = async (threads: number): Promise<void> => {
    this.busy = threads;
  };
}

/** Time that passes only while a replica works. */
export class WorkClock {
  atMs = 1000;
  nowMs(): number {
    return this.atMs;
  }
}

export const variant = (name: string, over: Partial<VariantSpec> = {}): VariantSpec => ({
  id: variantId(name),
  cpuCores: [1],
  memoryBytes: 1,
  gpus: 0,
  parameters: {},
  ...over,
});

export const stage = (name: string, variants: readonly VariantSpec[], over: Partial<StageSpec> = {}): StageSpec => ({
  id: stageId(name),
  kind: 'model',
  module: `./${name}.js`,
  variants,
  bounds: { minReplicas: 1, maxReplicas: 4, maxBatchWaitMs: 0 },
  pins: {},
  ...over,
});

/** Chain of stages with one source and one output. */
export function pipeline(stages: readonly StageSpec[], over: Partial<PipelineSpec> = {}): PipelineSpec {
  const ids = stages.map(({ id }) => id);
  return {
    name: 'toy',
    baseDir: '/nowhere',
    slo: { latencyMs: 400, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'in', to: ids.slice(0, 1), tensors: [] }],
    stages,
    edges: ids.slice(1).map((to, index) => ({ from: ids[index] as StageSpec['id'], to })),
    outputs: ids.slice(-1).map((from) => ({ from })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 100 },
    ...over,
  };
}

export const int32 = (shape: readonly number[], ...values: readonly number[]): Tensor => ({
  datatype: 'INT32',
  shape,
  data: Int32Array.from(values),
});

export const numbersOf = (tensors: TensorMap | undefined, name: string): number[] =>
  Array.from((tensors?.[name]?.data ?? []) as Int32Array);

/** Behaviour and duration of a fake replica's batches. */
export interface FakeStage {
  readonly serviceMs: (request: LaunchRequest, batchSize: number, call: number) => number;
  readonly run?: (request: LaunchRequest, input: TensorMap) => TensorMap;
  readonly mostItems?: number;
  readonly loadMs?: number;
}

/**
 * Starts fake replicas and records launches, batches and open replicas. A replica overwrites its inputs, as a transfer
 * would.
 */
export class FakeLauncher implements ReplicaLauncher {
  readonly launches: string[] = [];
  readonly batches: { readonly replica: string; readonly inputs: readonly TensorMap[] }[] = [];
  open = 0;
  readonly handedOver: unknown[] = [];
  readonly #clock: WorkClock;
  readonly #stages: Readonly<Record<string, FakeStage>>;
  /** Time for hand-over and answer, in addition to the service time. */
  readonly #wayMs: number;

  constructor(clock: WorkClock, stages: Readonly<Record<string, FakeStage>>, wayMs = 0) {
    this.#clock = clock;
    this.#stages = stages;
    this.#wayMs = wayMs;
  }

  async launch(request: LaunchRequest): Promise<{ readonly runner: ModelRunner; readonly loadMs: number }> {
    const fake = this.#stages[request.stage.id];
    if (fake === undefined) throw new AppError('MODULE_INVALID', `no stage ${request.stage.id}`);
    const replica = `${request.stage.id}/${request.variant.id}@${request.resources.cpuCores}`;
    this.launches.push(replica);
    this.open += 1;
    let calls = 0;
    const run = async (batch: readonly TensorMap[]): Promise<BatchResult> => {
      this.batches.push({ replica, inputs: structuredClone(batch) });
      const serviceMs = fake.serviceMs(request, batch.length, calls++);
      this.#clock.atMs += serviceMs + this.#wayMs;
      const outputs = structuredClone(batch.map((input) => fake.run?.(request, input) ?? input));
      for (const { data } of batch.flatMap((input) => Object.values(input))) {
        this.handedOver.push(data);
        (data as Int32Array).fill(-1);
      }
      const items = outputs.map((output) => ({ kind: 'ok' as const, output }));
      if (batch.length <= (fake.mostItems ?? Number.POSITIVE_INFINITY)) return { items, serviceMs };
      const error = new AppError('STAGE_FAILED', `a batch of ${batch.length} does not fit`);
      return { items: batch.map(() => ({ kind: 'failed' as const, error })), serviceMs };
    };
    const close = async () => {
      this.open -= 1;
    };
    return { runner: { run, close, onLost: () => {} }, loadMs: fake.loadMs ?? 50 };
  }
}

/** Requests with x = 1, 2 and 3. */
export const samples = [1, 2, 3].map((value) => ({ name: `${value}`, inputs: { x: int32([1], value) } }));
/** Stage whose batches take a fixed time plus one per item. */
export const linear = (fixedMs: number, itemMs: number): FakeStage => ({
  serviceMs: (_, items) => fixedMs + itemMs * items,
});

/** Profiler of one pipeline on fake replicas. */
export interface Bench {
  readonly clock: WorkClock;
  readonly launcher: FakeLauncher;
  profile(over?: Partial<ProfileRequest>): ReturnType<typeof profilePipeline>;
}

/** Bench of `spec`; hand-over and answer take `wayMs` together. */
export function bench(spec: PipelineSpec, stages: Readonly<Record<string, FakeStage>>, wayMs = 0): Bench {
  const clock = new WorkClock();
  const launcher = new FakeLauncher(clock, stages, wayMs);
  const request: ProfileRequest = {
    spec,
    launcher,
    samples,
    options: { quick: true },
    clock,
    rules,
    machine,
    residentBytes: () => 0,
    nowEpochMs: () => 1_700_000_000_000,
  };
  return { clock, launcher, profile: (over = {}) => profilePipeline({ ...request, ...over }) };
}

export function boundsWith(batchSizes: readonly number[]) {
  return { minReplicas: 1, maxReplicas: 4, maxBatchWaitMs: 0, batchSizes };
}
