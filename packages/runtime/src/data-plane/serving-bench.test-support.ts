/** A pipeline with scripted replicas under a manual clock, for tests of the data plane and its protocols. */
import {
  type AlarmClock,
  type AppError,
  type EdgeSpec,
  type PipelineSpec,
  replicaId,
  stageId,
  type Tensor,
  type TensorMap,
  variantId,
} from '@equipoise/core/model';
import type { BatchResult, ItemResult, ModelRunner } from '@equipoise/core/ports';
import type { RequestTracer } from '../trace/request-tracer.js';
import { PipelineRunner } from './pipeline-runner.js';

/** A spec of synthetic stages. Without `edges` the stages form a chain. */
export function servingSpec(names: readonly string[], more: Partial<PipelineSpec> = {}): PipelineSpec {
  return {
    name: 'bench',
    baseDir: '.',
    slo: { latencyMs: 60_000, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: [stageId(names[0] ?? '')], tensors: [] }],
    stages: names.map((name) => ({
      id: stageId(name),
      kind: 'model',
      variants: [{ id: variantId('v'), cpuCores: [1], memoryBytes: 0, gpus: 0, parameters: {} }],
      bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
      pins: {},
    })),
    edges: names.slice(1).map((to, index) => edge(names[index] ?? '', to)),
    outputs: [{ from: stageId(names.at(-1) ?? '') }],
    control: { mode: 'off', intervalMs: 10_000, minDwellMs: 0 },
    admission: { maxQueueLength: 100 },
    ...more,
  };
}

export function edge(from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec {
  return { from: stageId(from), to: stageId(to), ...more };
}

export function fp32(shape: readonly number[], ...values: number[]): Tensor {
  return { datatype: 'FP32', shape, data: Float32Array.from(values) };
}

/** Result of a scripted replica for one item. */
export type ItemScript = (item: TensorMap) => TensorMap | AppError;

/** A replica that awaits `wait` per batch, records its inputs and can be lost. */
export class ScriptedRunner implements ModelRunner {
  readonly batches: (readonly TensorMap[])[] = [];
  readonly #script: ItemScript;
  readonly #wait: () => Promise<void>;
  #onLost: (error: AppError) => void = () => {};
  #gone: AppError | undefined;

  constructor(script: ItemScript, wait: () => Promise<void>) {
    this.#script = script;
    this.#wait = wait;
  }

  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    this.batches.push(batch);
    await this.#wait();
    if (this.#gone !== undefined) throw this.#gone;
    return { items: batch.map((item) => this.#resultOf(item)), serviceMs: 1 };
  }

  onLost(listener: (error: AppError) => void): void {
    this.#onLost = listener;
  }

  /** Loses the replica: rejects the running batch if `whileBusy`, or else calls the listener. */
  lose(error: AppError, whileBusy: boolean): void {
    this.#gone = error;
    if (!whileBusy) this.#onLost(error);
  }

  /** Serves again, as a new replica does. */
  restore(): void {
    this.#gone = undefined;
  }

  async close(): Promise<void> {}

  #resultOf(item: TensorMap): ItemResult {
    const result = this.#script(item);
    return result instanceof Error ? { kind: 'failed', error: result } : { kind: 'ok', output: result };
  }
}

let replicas = 0;

/** Puts a runner into service; returns the replica's name. */
export function serve(pipeline: PipelineRunner, stage: string, runner: ModelRunner, cpuCores = 1, variant = 'v') {
  replicas += 1;
  const id = replicaId(`${stage}-${replicas}`);
  const resources = { cpuCores, memoryBytes: 0, gpus: 0 };
  pipeline.addReplica(stageId(stage), { replicaId: id, variantId: variantId(variant), resources, runner });
  return id;
}

/** A pipeline under a manual clock. Each stage has one scripted replica that takes 10 ms. */
export function bench(
  spec: PipelineSpec,
  clock: AlarmClock & { sleep(durationMs: number): Promise<void> },
  scripts: Readonly<Record<string, ItemScript>>,
  tracer?: RequestTracer,
): { readonly pipeline: PipelineRunner; readonly runners: Readonly<Record<string, ScriptedRunner>> } {
  const pipeline = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY, clock, tracer });
  const runners = Object.fromEntries(
    Object.entries(scripts).map(([stage, script]) => {
      const runner = new ScriptedRunner(script, () => clock.sleep(10));
      serve(pipeline, stage, runner);
      return [stage, runner];
    }),
  );
  return { pipeline, runners };
}
