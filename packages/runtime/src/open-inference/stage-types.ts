/**
 * Tensor types of a pipeline's stages and answers, learned from the first item of each batch and from completed
 * requests.
 */
import type { StageId, Tensor, TensorMap } from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import type { TensorMetadata } from '@equipoise/open-inference-codec';

const MOST_TENSORS = 64;

/** Tensor types seen at one place. A dimension that varies is −1. */
export class LearnedTypes {
  readonly #types = new Map<string, Pick<Tensor, 'datatype' | 'shape'>>();

  get all(): readonly TensorMetadata[] {
    return [...this.#types].map(([name, type]) => ({ name, ...type }));
  }

  /** `inBatch`: the first dimension counts the items of a client batch. */
  learn(tensors: TensorMap, inBatch = false): void {
    for (const [name, { datatype, shape: seen }] of Object.entries(tensors)) {
      const shape = inBatch ? seen.slice(1) : seen;
      const known = this.#types.get(name);
      if (known === undefined) {
        if (this.#types.size < MOST_TENSORS) this.#types.set(name, { datatype, shape });
      } else if (known.shape.length !== shape.length) this.#types.set(name, { datatype, shape: [-1] });
      else if (shape.some((size, i) => known.shape[i] !== -1 && known.shape[i] !== size)) {
        const merged = shape.map((size, i) => (known.shape[i] === size ? size : -1));
        this.#types.set(name, { datatype, shape: merged });
      }
    }
  }
}

export interface StageTensors {
  readonly inputs: LearnedTypes;
  readonly outputs: LearnedTypes;
}

export class StageTypes {
  readonly pipelineOutputs = new LearnedTypes();
  readonly #stages = new Map<StageId, StageTensors>();

  /** Empty before the first batch of the stage. */
  of(stageId: StageId): StageTensors {
    const known = this.#stages.get(stageId) ?? { inputs: new LearnedTypes(), outputs: new LearnedTypes() };
    this.#stages.set(stageId, known);
    return known;
  }

  watching(launcher: ReplicaLauncher): ReplicaLauncher {
    return {
      launch: async (request) => {
        const launched = await launcher.launch(request);
        return { ...launched, runner: watched(launched.runner, this.of(request.stage.id)) };
      },
    };
  }
}

function watched(runner: ModelRunner, types: StageTensors): ModelRunner {
  const run: ModelRunner['run'] = async (batch, traceHeaders) => {
    if (batch[0] !== undefined) types.inputs.learn(batch[0]);
    const result = await runner.run(batch, traceHeaders);
    const first = result.items.find(({ kind }) => kind === 'ok');
    if (first?.kind === 'ok') types.outputs.learn(first.output);
    return result;
  };
  return new Proxy(runner, {
    get: (target, property) => {
      if (property === 'run') return run;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
