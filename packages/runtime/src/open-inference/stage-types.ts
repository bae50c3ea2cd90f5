/**
 * What goes into the stages of a pipeline and what comes out of them and of the whole, as far as it has been seen: the first item of each
 * batch that its replicas run, and what requests were answered. Stages are parts of a pipeline, so this is told and nothing else can be
 * asked of them.
 */
import type { StageId, TensorMap } from '@equipoise/core/model';
import type { BatchResult, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { LearnedTypes } from './learned-types.js';

/** Types at one stage. */
export interface StageTensors {
  readonly inputs: LearnedTypes;
  readonly outputs: LearnedTypes;
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
