/**
 * A pipeline behind the protocol. Stages do not declare what they give, so the types of the outputs are learned from the
 * completed requests so far.
 */
import type { SourceTensor, TensorMap } from '@equipoise/core/model';
import type { ModelMetadata, TensorMetadata } from '@equipoise/open-inference-codec';
import type { CancelSignal } from '../data-plane/cancellation.js';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { completedOutput } from './refusal.js';
import type { RequestParameters } from './request-parameters.js';
import { StageTypes } from './stage-types.js';

/** What the protocol needs of a runner. */
export type Runner = Pick<PipelineRunner, 'spec' | 'ready' | 'submit' | 'nowMs'>;

/** What a request asks for, and from when on its time counts, on the runner's clock; from now on where that is left out. */
interface RunOptions extends RequestParameters {
  readonly signal: CancelSignal;
  readonly arrivedAtMs?: number | undefined;
}

/** What came of a request; `missing` is what joins went on without, undefined when it is whole. */
interface CompletedRun {
  readonly output: TensorMap;
  readonly missing: readonly string[] | undefined;
  readonly latencyMs: number;
}

/** One pipeline with what is known of its inputs and outputs. */
export class ServedPipeline {
  readonly name: string;
  readonly sourceName: string;
  /** Declared inputs; empty when the pipeline declares none. */
  readonly inputs: readonly SourceTensor[];
  readonly #runner: Runner;
  readonly #stageTypes: StageTypes;

  constructor(runner: Runner, stageTypes = new StageTypes()) {
    const [source] = runner.spec.sources;
    this.name = runner.spec.name;
    this.sourceName = source?.name ?? 'input';
    this.inputs = source?.tensors ?? [];
    this.#runner = runner;
    this.#stageTypes = stageTypes;
  }

  /** What is known of a stage; undefined when there is none of this name. */
  stage(name: string): Pick<ModelMetadata, 'versions' | 'inputs' | 'outputs'> | undefined {
    const stage = this.#runner.spec.stages.find(({ id }) => id === name);
    if (stage === undefined) return undefined;
    const { inputs, outputs } = this.#stageTypes.of(stage.id);
    return { versions: stage.variants.map(({ id }) => id), inputs: inputs.all, outputs: outputs.all };
  }

  get ready(): boolean {
    return this.#runner.ready;
  }

  /** Outputs seen so far. */
  get outputs(): readonly TensorMetadata[] {
    return this.#stageTypes.pipelineOutputs.all;
  }

  /** Runs one request to its end; throws the AppError of an end that is no completion. */
  async run(inputs: TensorMap, { timeoutMs, priority, signal, arrivedAtMs }: RunOptions): Promise<CompletedRun> {
    const sinceMs = arrivedAtMs ?? this.#runner.nowMs;
    const outcome = await this.#runner.submit(inputs, {
      signal,
      ...(arrivedAtMs !== undefined && { arrivedAtMs }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(priority !== undefined && { priority }),
    });
    const { output, missing } = completedOutput(outcome);
    this.#stageTypes.pipelineOutputs.learn(output);
    return { output, missing, latencyMs: this.#runner.nowMs - sinceMs };
  }
}
