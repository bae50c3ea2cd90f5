/** Requests of the protocol as bytes, to a pipeline that returns its only FP32 tensor `x`. */
import { SeededRng, type TensorMap } from '@equipoise/core/model';
import {
  BINARY_MEDIA_TYPE,
  JSON_LENGTH_HEADER,
  writeGrpcRequest,
  writeInferRequest,
} from '@equipoise/open-inference-codec';

/** A body and its headers. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly headers: readonly string[];
}

/** One tensor of `count` floats with three decimals, as features often have. */
export function floats(count: number): TensorMap {
  const rng = new SeededRng(1);
  const data = Float32Array.from({ length: count }, () => Math.round(1000 * rng.next()) / 1000);
  return { x: { datatype: 'FP32', shape: [count], data } };
}

/** REST body with the elements in JSON. */
export function jsonBody(inputs: TensorMap): Body {
  const { json } = writeInferRequest({ inputs }, false);
  return { bytes: Buffer.from(json), headers: ['content-type: application/json'] };
}

/** REST body with the elements after the JSON. The answer has the same form. */
export function binaryBody(inputs: TensorMap): Body {
  const { json, raw } = writeInferRequest({ inputs }, true);
  const head = Buffer.from(json);
  return {
    bytes: Buffer.concat([head, ...raw]),
    headers: [`content-type: ${BINARY_MEDIA_TYPE}`, `${JSON_LENGTH_HEADER}: ${head.length}`],
  };
}

/** Framed gRPC message with raw contents. */
export function grpcBody(pipeline: string, inputs: TensorMap): Body {
  const message = writeGrpcRequest(pipeline, { inputs }, true);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return { bytes: Buffer.concat([prefix, message]), headers: ['content-type: application/grpc', 'te: trailers'] };
}
