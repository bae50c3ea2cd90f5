/** User code of a stage, loaded into every replica. */
import type { Resources } from '../model/pipeline-spec.js';
import type { TensorMap } from '../model/tensor.js';

/** `artifactPath` is an absolute local path. */
export interface LoadableVariant {
  readonly name: string;
  readonly artifactPath?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** `run` returns one result per item, in order. */
export interface LoadedStage {
  run(batch: readonly TensorMap[]): readonly TensorMap[] | Promise<readonly TensorMap[]>;
  close?(): void | Promise<void>;
}

/** An error from `run` with `code: 'INVALID_INPUT'` is the client's fault, any other the stage's. */
export interface StageModule {
  load(variant: LoadableVariant, resources: Resources): LoadedStage | Promise<LoadedStage>;
}
