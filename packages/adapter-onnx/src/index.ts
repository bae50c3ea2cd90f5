/** Public face of adapter-onnx; the stage module for any model is `@equipoise/adapter-onnx/stage`. */
export { loadOnnxModel, type OnnxModel, type OnnxModelOptions } from './onnx-model.js';
