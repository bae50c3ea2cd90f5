/** Codec of the Open Inference Protocol. */

export * from './grpc/grpc-infer-request.js';
export * from './grpc/grpc-infer-response.js';
export * from './grpc/grpc-metadata.js';
export * from './grpc/grpc-methods.js';
export * from './grpc/owned-message.js';
export * from './json/json-work.js';
export * from './json/parse-json.js';
export * from './json-tensors/decode-tensor.js';
export * from './json-tensors/encode-tensor.js';
export * from './protocol-types.js';
export * from './rest/infer-request.js';
export * from './rest/infer-response.js';
export * from './rest/rest-body.js';
export * from './rest/rest-metadata.js';
export * from './tensor-types.js';
