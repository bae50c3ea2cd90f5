/** Public face of the codec: what a server and a client of the Open Inference Protocol may use. */
export * from './json/parse-json.js';
export * from './json-tensors/decode-tensor.js';
export * from './json-tensors/element-types.js';
export * from './json-tensors/encode-tensor.js';
