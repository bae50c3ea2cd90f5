/** Entry `@equipoise/core`: the names that a stage module needs. */
export { AppError } from './model/app-error.js';
export type { Resources } from './model/pipeline-spec.js';
export type { Tensor, TensorMap } from './model/tensor.js';
export { concatenateTensors, sliceTensor, stackTensors, unstackTensor } from './model/tensor-batch.js';
export type { LoadableVariant, LoadedStage, StageModule } from './ports/stage-module.js';
