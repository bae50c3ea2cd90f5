/**
 * What goes into the stages of a pipeline and what comes out of them and of the whole, as far as it has been seen: the first item of each
 * batch that its replicas run, and what requests were answered. Stages are parts of a pipeline, so this is told and nothing else can be
 * asked of them.
 */
import type { StageId, TensorMap } from '@equipoise/core/model';
import type { BatchResult, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import type { TensorMetadata } from '@equipoise/open-inference-codec';
import { LearnedTypes } from './learned-types.js';

/** Types at one stage. */
export interface StageTensors {
  readonly inputs: LearnedTypes;
  readonly outputs: LearnedTypes;
}

/** All that is known, as another process is told it. */
export interface SeenTypes {
  readonly pipelineOutputs: readonly TensorMetadata[];
  readonly stages: Readonly<
    Record<string, { readonly inputs: readonly TensorMetadata[]; readonly outputs: readonly TensorMetadata[] }>
  >;
}

/** Types at all stages of a pipeline, and of what it answers. */
export class StageTypes {
  readonly pipelineOutputs = new LearnedTypes();
  readonly #stages = new Map<StageId, StageTensors>();

  /** The types at a stage, empty before its first batch. */
  of(stageId: StageId): StageTensors {
    const known = this.#stages.get(stageId) ?? { inputs: new LearnedTypes(), outputs: new LearnedTypes() };
    this.#stages.set(stageId, known);
    return known;
  }

  /** Grows with every change. */
  get revision(): number {
    let revision = this.pipelineOutputs.revision;
    for (const { inputs, outputs } of this.#stages.values()) revision += inputs.revision + outputs.revision;
    return revision;
  }

  get seen(): SeenTypes {
    const stages = [...this.#stages].map(([id, { inputs, outputs }]) => [
      id,
      { inputs: inputs.all, outputs: outputs.all },
    ]);
    return { pipelineOutputs: this.pipelineOutputs.all, stages: Object.fromEntries(stages) };
  }

  /** Takes over what another process has seen. */
  adopt({ pipelineOutputs, stages }: SeenTypes): void {
    this.pipelineOutputs.adopt(pipelineOutputs);
    for (const [id, { inputs, outputs }] of Object.entries(stages)) {
      const known = this.of(id as StageId);
      known.inputs.adopt(inputs);
      known.outputs.adopt(outputs);
    }
  }

  /** A launcher whose replicas are looked at. */
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
  const run = async (batch: readonly TensorMap[]): Promise<BatchResult> => {
    if (batch[0] !== undefined) types.inputs.learn(batch[0]);
    const result = await runner.run(batch);
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
