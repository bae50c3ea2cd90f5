/**
 * Decoders of requests: infer requests over REST or gRPC, and JSON with tensors by name for the plain endpoint; and of
 * answers of other servers over REST. Their results move between threads, so they hold no value that is not needed.
 */
import { AppError, boundedName, type SourceTensor, type TensorData, type TensorMap } from '@equipoise/core/model';
import {
  checkJsonWork,
  decodeNested,
  type InferResponse,
  ownedMessage,
  parseJson,
  type ReceivedGrpcRequest,
  type ReceivedRequest,
  readGrpcRequest,
  readInferMessage,
  readInferRequest,
  readInferResponse,
  readRestBody,
  requireInputs,
} from '@equipoise/open-inference-codec';
import { tensorBytes } from '../../data-plane/bytes-in-flight.js';
import { alignedBody } from '../../net/body.js';
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

/** Answer of another server. Its size is bounded before. */
export interface AnswerBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly jsonLength?: number | undefined;
}

/** Decoders. They throw AppError BODY_TOO_LARGE, MALFORMED_REQUEST or TENSOR_MISMATCH, `grpc` also NOT_FOUND. */
export const decoders = {
  infer: ({ bytes, jsonLength, maxJsonBytes, inputs: declared }: JsonBody): WithKnownParameters<ReceivedRequest> => {
    const received = readInferRequest(readRestBody(bytes, jsonLength, maxJsonBytes), declared);
    const { id, items, outputs, binaryOutput } = received;
    const parameters = readParameters(received.parameters);
    return { id, parameters, inputs: compact(received.inputs, bytes.length), items, outputs, binaryOutput };
  },
  run: ({ bytes, maxJsonBytes, inputs }: JsonBody): { readonly inputs: TensorMap } => {
    checkJsonWork(bytes, maxJsonBytes);
    return { inputs: namedTensors(inputs, parseJson(bytes)) };
  },
  grpc: ({ bytes, maxBytes, pipelines }: GrpcMessage): NamedGrpcRequest => {
    const message = readInferMessage(ownedMessage(bytes, { kind: 'request', maxBytes }));
    const { modelName, modelVersion } = message;
    const received = readGrpcRequest(message, pipelineOfVersion(pipelines, modelName, modelVersion).inputs);
    const { id, items, outputs, raw } = received;
    const parameters = readParameters(received.parameters);
    return { modelName, id, parameters, inputs: compact(received.inputs, bytes.length), items, outputs, raw };
  },
  answer: ({ bytes, jsonLength }: AnswerBody): InferResponse => readInferResponse(readRestBody(bytes, jsonLength)),
};

export type MessageKind = keyof typeof decoders;
export type RequestKind = Exclude<MessageKind, 'answer'>;
export type Encoded<K extends MessageKind> = Parameters<(typeof decoders)[K]>[0];
export type Decoded<K extends MessageKind> = ReturnType<(typeof decoders)[K]>;

/** Memory of decoded tensors, which may be passed between threads without a copy. */
export function tensorBuffers(tensors: TensorMap): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) {
    const view = ArrayBuffer.isView(data) ? data : data[0];
    if (ArrayBuffer.isView(view) && view.buffer instanceof ArrayBuffer) buffers.add(view.buffer);
  }
  return [...buffers];
}

/** Unused memory (bytes) that tensors may keep. */
const MOST_UNUSED_BYTES = 64 * 1024;

/** Copies tensors that use less than half of a large body: a view keeps the whole body in memory. */
function compact(inputs: TensorMap, bodyBytes: number): TensorMap {
  if (bodyBytes <= MOST_UNUSED_BYTES) return inputs;
  const usedBytes = tensorBytes(inputs);
  if (bodyBytes - usedBytes <= Math.max(usedBytes, MOST_UNUSED_BYTES)) return inputs;
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { data, ...type }]) => [name, { ...type, data: copyOf(data) }]),
  );
}

function copyOf(data: TensorData): TensorData {
  if (ArrayBuffer.isView(data)) return data.slice();
  const views = data.filter((element) => typeof element !== 'string');
  if (views.length === 0) return data;
  const joined = alignedBody(views, 0);
  let at = 0;
  return views.map(({ length }) => {
    at += length;
    return joined.subarray(at - length, at);
  });
}

function namedTensors(inputs: readonly SourceTensor[], value: unknown): TensorMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('MALFORMED_REQUEST', 'The body must be a JSON object of tensors by name.');
  }
  const names = inputs.map(({ name }) => name);
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const message = `There is no tensor ${boundedName(unknown)}; the tensors are ${names.join(', ')}.`;
    throw new AppError('TENSOR_MISMATCH', message, { details: { inputs: names } });
  }
  requireInputs(inputs, (name) => Object.hasOwn(value, name));
  const given = inputs.filter(({ name }) => Object.hasOwn(value, name));
  return Object.fromEntries(
    given.map((input) => [input.name, decodeNested(input, (value as Readonly<Record<string, unknown>>)[input.name])]),
  );
}
