/**
 * A pipeline behind the protocol. Stages do not declare what they give, so the types of the outputs are learned: those of the
 * completed requests so far, a dimension of several sizes as −1.
 */
import type { Datatype, SourceTensor, TensorMap } from '@equipoise/core';
import type { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { completedOutput } from './refusal.js';
import type { RequestParameters } from './request-parameters.js';

const MOST_OUTPUTS = 64;

/** An output as the metadata state it. */
export interface OutputType {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** What the protocol needs of a runner. */
export type Runner = Pick<PipelineRunner, 'spec' | 'ready' | 'submit' | 'nowMs'>;

/** One pipeline with what is known of its inputs and outputs. */
export class ServedPipeline {
  readonly name: string;
  readonly sourceName: string;
  /** Declared inputs; empty when the pipeline declares none. */
  readonly inputs: readonly SourceTensor[];
  readonly #runner: Runner;
  readonly #outputs = new Map<string, OutputType>();

  constructor(runner: Runner) {
    const [source] = runner.spec.sources;
    this.name = runner.spec.name;
    this.sourceName = source?.name ?? 'input';
    this.inputs = source?.tensors ?? [];
    this.#runner = runner;
  }

  get ready(): boolean {
    return this.#runner.ready;
  }

  /** Outputs seen so far, by name. */
  get outputs(): ReadonlyMap<string, OutputType> {
    return this.#outputs;
  }

  /** Runs one request to its end; throws the AppError of an end that is no completion. */
  async run(
    inputs: TensorMap,
    { timeoutMs, priority, signal }: RequestParameters & { readonly signal: AbortSignal },
  ): Promise<{ readonly output: TensorMap; readonly latencyMs: number }> {
    const arrivedAtMs = this.#runner.nowMs;
    const outcome = await this.#runner.submit(inputs, {
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(priority !== undefined && { priority }),
    });
    const output = completedOutput(outcome);
    this.#learn(output);
    return { output, latencyMs: this.#runner.nowMs - arrivedAtMs };
  }

  #learn(output: TensorMap): void {
    for (const [name, { datatype, shape }] of Object.entries(output)) {
      const known = this.#outputs.get(name);
      if (known === undefined) {
        if (this.#outputs.size < MOST_OUTPUTS) this.#outputs.set(name, { datatype, shape });
      } else if (known.shape.length !== shape.length) this.#outputs.set(name, { datatype, shape: [-1] });
      else if (shape.some((size, i) => known.shape[i] !== -1 && known.shape[i] !== size)) {
        const merged = shape.map((size, i) => (known.shape[i] === size ? size : -1));
        this.#outputs.set(name, { datatype, shape: merged });
      }
    }
  }
}
