/** One replica of every variant that is evaluated, each running one item at a time. */
import { AppError, type PipelineSpec, type StageSpec, type TensorMap, type VariantSpec } from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { copyTensors } from '../data-plane/payload-algebra.js';
import { flowCores } from '../profiling/flow.js';

interface Runner {
  readonly runner: ModelRunner;
  /** Resolves when the items handed over so far are done. */
  idle: Promise<unknown>;
}

/** Started replicas by stage and variant; close them in the end. */
export class VariantRunners {
  readonly #spec: PipelineSpec;
  readonly #launcher: ReplicaLauncher;
  readonly #runners = new Map<VariantSpec, Runner>();

  constructor(spec: PipelineSpec, launcher: ReplicaLauncher) {
    this.#spec = spec;
    this.#launcher = launcher;
  }

  /** Starts one replica; rejects with its AppError. */
  async start(stage: StageSpec, variant: VariantSpec): Promise<void> {
    const resources = { cpuCores: flowCores(variant), memoryBytes: variant.memoryBytes, gpus: variant.gpus };
    const { runner } = await this.#launcher.launch({ stage, variant, resources, baseDir: this.#spec.baseDir });
    this.#runners.set(variant, { runner, idle: Promise.resolve() });
  }

  /** Runs items one by one: batches may change the last digits of an answer. Rejects with AppError when one fails. */
  async run(stage: StageSpec, variant: VariantSpec, inputs: readonly TensorMap[]): Promise<readonly TensorMap[]> {
    const outputs: TensorMap[] = [];
    for (const input of inputs) outputs.push(await this.#runOne(stage, variant, input));
    return outputs;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.close()));
  }

  async #runOne(stage: StageSpec, variant: VariantSpec, input: TensorMap): Promise<TensorMap> {
    const replica = this.#runners.get(variant) as Runner;
    const done = replica.idle.then(() => replica.runner.run([copyTensors(input)]));
    replica.idle = done.catch(() => undefined);
    const [result] = (await done).items;
    if (result?.kind === 'ok') return result.output;
    const message = `Stage ${stage.id}, variant ${variant.id} failed: ${result?.error.message ?? 'it gave no result'}`;
    throw new AppError(result?.error.code ?? 'STAGE_FAILED', message, { cause: result?.error });
  }
}
