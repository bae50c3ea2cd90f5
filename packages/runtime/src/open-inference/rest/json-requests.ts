/** Requests whose body is JSON: an infer request, or the tensors of the plain endpoint by name. */
import { AppError, type SourceTensor, type TensorMap } from '@equipoise/core/model';
import {
  checkJsonWork,
  decodeNested,
  parseJson,
  type ReceivedRequest,
  readInferRequest,
  readRestBody,
  tensorMismatch,
} from '@equipoise/open-inference-codec';

export interface JsonBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of a body with raw tensors behind the JSON. */
  readonly jsonLength?: number | undefined;
  readonly maxJsonBytes: number;
  /** Declared inputs of the pipeline. */
  readonly inputs: readonly SourceTensor[];
}

export interface JsonRequests {
  readonly infer: ReceivedRequest;
  readonly run: TensorMap;
}

/** They throw AppError BODY_TOO_LARGE, MALFORMED_REQUEST or TENSOR_MISMATCH. */
export const jsonDecoders: { readonly [K in keyof JsonRequests]: (body: JsonBody) => JsonRequests[K] } = {
  infer: ({ bytes, jsonLength, maxJsonBytes, inputs }) =>
    readInferRequest(readRestBody(bytes, jsonLength, maxJsonBytes), inputs),
  run: ({ bytes, maxJsonBytes, inputs }) => {
    checkJsonWork(bytes, maxJsonBytes);
    return namedTensors(inputs, parseJson(bytes));
  },
};

/** Memory of decoded tensors, which may be passed between threads without a copy. */
export function tensorBuffers(tensors: TensorMap): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) {
    const view = ArrayBuffer.isView(data) ? data : data[0];
    if (ArrayBuffer.isView(view) && view.buffer instanceof ArrayBuffer) buffers.add(view.buffer);
  }
  return [...buffers];
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
