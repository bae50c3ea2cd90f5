/** What the owner of a pipeline writes: the code of one stage, loaded into every replica of it. */
import type { Resources } from '../model/pipeline-spec.js';
import type { TensorMap } from '../model/tensor.js';

/** The variant as its stage module sees it; `artifactPath` is an absolute path of a local file. */
export interface LoadableVariant {
  readonly name: string;
  readonly artifactPath?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A loaded variant: `run` takes a batch of items and gives as many results, in the same order. */
export interface LoadedStage {
  run(batch: readonly TensorMap[]): readonly TensorMap[] | Promise<readonly TensorMap[]>;
  close?(): void | Promise<void>;
}

/** A stage module. An error with `code: 'INVALID_INPUT'` thrown by `run` is the client's fault, any other the stage's. */
export interface StageModule {
  load(variant: LoadableVariant, resources: Resources): LoadedStage | Promise<LoadedStage>;
}
