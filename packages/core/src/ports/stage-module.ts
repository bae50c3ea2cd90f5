/** User code of a stage. Every replica loads it. */
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

/** If `run` throws an error with `code: 'INVALID_INPUT'`, the client is at fault; otherwise the stage. */
export interface StageModule {
  load(variant: LoadableVariant, resources: Resources): LoadedStage | Promise<LoadedStage>;
}
