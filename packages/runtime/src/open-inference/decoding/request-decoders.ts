/**
 * Decoders of requests: infer requests over REST or gRPC, and JSON with tensors by name for the plain endpoint. Their
 * results move between threads, so they hold no client value that is not needed.
 */
import { AppError, type SourceTensor, type TensorMap } from '@equipoise/core/model';
import {
  checkJsonWork,
  decodeNested,
  grpcMethods,
  ownedMessage,
  parseJson,
  type ReceivedGrpcRequest,
  type ReceivedRequest,
  readGrpcRequest,
  readInferRequest,
  readMessage,
  readRestBody,
  tensorMismatch,
} from '@equipoise/open-inference-codec';
import { type RequestParameters, readParameters } from '../request-parameters.js';
import { pipelineOfVersion } from '../served-pipeline.js';

export interface JsonBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of the JSON, if raw tensors follow it. */
  readonly jsonLength?: number | undefined;
  readonly maxJsonBytes: number;
  readonly inputs: readonly SourceTensor[];
}

export interface GrpcMessage {
  readonly bytes: Uint8Array;
  readonly maxBytes: number;
  /** Pipelines by name with their declared inputs. The message names its pipeline. */
  readonly pipelines: ReadonlyMap<string, { readonly inputs: readonly SourceTensor[] }>;
}

type WithKnownParameters<Received> = Omit<Received, 'parameters'> & { readonly parameters: RequestParameters };

interface NamedGrpcRequest extends WithKnownParameters<ReceivedGrpcRequest> {
  readonly modelName: string;
}

/** Decoders. They throw AppError BODY_TOO_LARGE, MALFORMED_REQUEST or TENSOR_MISMATCH, `grpc` also NOT_FOUND. */
export const requestDecoders = {
  infer: ({ bytes, jsonLength, maxJsonBytes, inputs }: JsonBody): WithKnownParameters<ReceivedRequest> =>
    withKnownParameters(readInferRequest(readRestBody(bytes, jsonLength, maxJsonBytes), inputs)),
  run: ({ bytes, maxJsonBytes, inputs }: JsonBody): { readonly inputs: TensorMap } => {
    checkJsonWork(bytes, maxJsonBytes);
    return { inputs: namedTensors(inputs, parseJson(bytes)) };
  },
  grpc: ({ bytes, maxBytes, pipelines }: GrpcMessage): NamedGrpcRequest => {
    const message = readMessage(grpcMethods.modelInfer.input, ownedMessage(bytes, { kind: 'request', maxBytes }));
    const { modelName, modelVersion } = message;
    const { inputs } = pipelineOfVersion(pipelines, modelName, modelVersion);
    return { modelName, ...withKnownParameters(readGrpcRequest(message, inputs)) };
  },
};

export type RequestKind = keyof typeof requestDecoders;
export type Encoded<K extends RequestKind> = Parameters<(typeof requestDecoders)[K]>[0];
export type Decoded<K extends RequestKind> = ReturnType<(typeof requestDecoders)[K]>;

/** Memory of decoded tensors, which may be passed between threads without a copy. */
export function tensorBuffers(tensors: TensorMap): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) {
    const view = ArrayBuffer.isView(data) ? data : data[0];
    if (ArrayBuffer.isView(view) && view.buffer instanceof ArrayBuffer) buffers.add(view.buffer);
  }
  return [...buffers];
}

function withKnownParameters<Received extends { readonly parameters: Readonly<Record<string, unknown>> }>(
  received: Received,
): WithKnownParameters<Received> {
  const { parameters, ...others } = received;
  return { parameters: readParameters(parameters), ...others };
}

function namedTensors(inputs: readonly SourceTensor[], value: unknown): TensorMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('MALFORMED_REQUEST', 'The body must be a JSON object of tensors by name.');
  }
  const names = inputs.map(({ name }) => name);
  if (Object.keys(value).some((name) => !names.includes(name))) {
    throw new AppError('TENSOR_MISMATCH', `A given tensor does not exist; the tensors are ${names.join(', ')}.`, {
      details: { inputs: names },
    });
  }
  return Object.fromEntries(
    inputs.map((input) => {
      if (!Object.hasOwn(value, input.name)) throw tensorMismatch(input.name, 'this input is missing');
      return [input.name, decodeNested(input, (value as Readonly<Record<string, unknown>>)[input.name])];
    }),
  );
}
