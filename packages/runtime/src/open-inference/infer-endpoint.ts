/** Inference in the form of the Open Inference Protocol v2 (REST, JSON tensors). */
import { AppError, boundedName, type Tensor, type TensorMap, type TensorType } from '@equipoise/core';
import {
  checkShape,
  decodeTensor,
  encodeFlat,
  isDatatype,
  parseJson,
  tensorMismatch,
} from '@equipoise/open-inference-codec';
import type { Answer } from './answer.js';
import { type Call, pipelineOf } from './endpoint.js';
import { readParameters } from './request-parameters.js';
import type { ServedPipeline } from './served-pipeline.js';

type Fields = Readonly<Record<string, unknown>>;

const MOST_DIMENSIONS = 32;
/** Outputs that a refusal lists. */
const MOST_NAMES = 64;

/** Clients that state no type, or the default one of curl, are taken at the word of the protocol. */
const jsonMediaTypes: ReadonlySet<string | undefined> = new Set([
  undefined,
  'application/json',
  'application/x-www-form-urlencoded',
]);

/** POST /v2/models/{pipeline}/infer */
export async function infer(call: Call): Promise<Answer> {
  const pipeline = pipelineOf(call);
  checkMediaType(call);
  const body = objectOf(parseJson(await call.readBody()), 'The body');
  const id = optionalString(body['id'], 'id');
  const { timeoutMs } = readParameters(optionalObject(body['parameters'], 'parameters'));
  const wanted = readWantedOutputs(body['outputs']);
  const { output } = await pipeline.run(readInputs(body['inputs'], pipeline), { timeoutMs, signal: call.signal });
  const named = `"model_name":${JSON.stringify(pipeline.name)},"id":${JSON.stringify(id ?? call.requestId)}`;
  return { status: 200, json: `{${named},"outputs":[${encodeOutputs(output, wanted).join(',')}]}` };
}

function checkMediaType({ mediaType, headers }: Call): void {
  if (headers['inference-header-content-length'] !== undefined) {
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      'The binary tensor extension is not supported; send tensors as JSON and content-type application/json.',
      { details: { contentTypes: ['application/json'] } },
    );
  }
  if (jsonMediaTypes.has(mediaType)) return;
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send this request with content-type application/json.', {
    details: { contentTypes: ['application/json'] },
  });
}

function readInputs(value: unknown, { inputs }: ServedPipeline): TensorMap {
  if (!Array.isArray(value)) throw new AppError('MALFORMED_REQUEST', 'The field inputs must be an array of tensors.');
  const tensors = new Map<string, Tensor>();
  for (const entry of value) {
    const fields = objectOf(entry, 'Each of inputs');
    const { name } = fields;
    if (typeof name !== 'string') throw new AppError('MALFORMED_REQUEST', 'Each of inputs needs a name, a string.');
    const declared = inputs.find((input) => input.name === name);
    if (declared === undefined && inputs.length > 0) throw unknownInput(inputs);
    if (tensors.has(name))
      throw new AppError('MALFORMED_REQUEST', `The input ${boundedName(name)} stands there twice.`);
    tensors.set(name, readTensor(name, fields, declared));
  }
  const missing = inputs.find(({ name }) => !tensors.has(name));
  if (missing !== undefined) throw tensorMismatch(missing.name, 'this input is missing');
  return Object.fromEntries(tensors);
}

function readTensor(name: string, fields: Fields, declared: TensorType | undefined): Tensor {
  const { datatype, shape, data } = fields;
  if (!isDatatype(datatype))
    throw tensorMismatch(name, `its datatype must be ${declared?.datatype ?? 'one of the protocol'}`);
  if (declared !== undefined && declared.datatype !== datatype) {
    throw tensorMismatch(name, `its datatype must be ${declared.datatype}, found ${datatype}`);
  }
  if (!isShape(shape)) {
    throw tensorMismatch(name, `its shape must be an array of at most ${MOST_DIMENSIONS} integers of at least 0`);
  }
  if (!Array.isArray(data)) throw tensorMismatch(name, 'its data must be an array, flat or nested as the shape');
  const type = declared ?? { name, datatype, shape };
  checkShape(type, shape);
  return decodeTensor(type, shape, data);
}

function isShape(shape: unknown): shape is readonly number[] {
  return (
    Array.isArray(shape) &&
    shape.length <= MOST_DIMENSIONS &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}

function readWantedOutputs(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new AppError('MALFORMED_REQUEST', 'The field outputs must be an array of {name}.');
  return value.map((entry) => {
    const { name } = objectOf(entry, 'Each of outputs');
    if (typeof name === 'string') return name;
    throw new AppError('MALFORMED_REQUEST', 'Each of outputs needs a name, a string.');
  });
}

function encodeOutputs(output: TensorMap, wanted: readonly string[] = Object.keys(output)): readonly string[] {
  return wanted.map((name) => {
    const tensor = Object.hasOwn(output, name) ? output[name] : undefined;
    if (tensor !== undefined) return encodeOutput(name, tensor);
    const names = Object.keys(output).slice(0, MOST_NAMES).map(boundedName);
    throw new AppError('TENSOR_MISMATCH', `A requested output does not exist; the outputs are ${names.join(', ')}.`, {
      details: { outputs: names },
    });
  });
}

function encodeOutput(name: string, tensor: Tensor): string {
  const { json, base64 } = encodeFlat(tensor);
  const parameters = base64 ? ',"parameters":{"content_type":"base64"}' : '';
  const shape = JSON.stringify(tensor.shape);
  return `{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":${shape}${parameters},"data":${json}}`;
}

function unknownInput(inputs: readonly TensorType[]): AppError {
  const names = inputs.map(({ name }) => name);
  return new AppError('TENSOR_MISMATCH', `A given input does not exist; the inputs are ${names.join(', ')}.`, {
    details: { inputs: names },
  });
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new AppError('MALFORMED_REQUEST', `${what} must be a JSON object.`);
}

function optionalObject(value: unknown, field: string): Fields {
  return value === undefined ? {} : objectOf(value, `The field ${field}`);
}

function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new AppError('MALFORMED_REQUEST', `The field ${field} must be a string.`);
}
