/** Stage code that a pipeline owner writes, loaded into every replica. */
import type { Resources } from '../model/pipeline-spec.js';
import type { TensorMap } from '../model/tensor.js';

/** Variant for its stage module. `artifactPath` is an absolute path of a local file. */
export interface LoadableVariant {
  readonly name: string;
  readonly artifactPath?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** `run` returns one result per item of the batch, in order. */
export interface LoadedStage {
  run(batch: readonly TensorMap[]): readonly TensorMap[] | Promise<readonly TensorMap[]>;
  close?(): void | Promise<void>;
}

/** An error with `code: 'INVALID_INPUT'` from `run` is the client's fault, any other the stage's. */
export interface StageModule {
  load(variant: LoadableVariant, resources: Resources): LoadedStage | Promise<LoadedStage>;
}
