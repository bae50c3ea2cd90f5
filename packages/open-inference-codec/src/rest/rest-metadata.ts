/** Metadata over REST. Fields of a wrong type throw MALFORMED_REQUEST. */
import { AppError } from '@equipoise/core/model';
import { objectOf, optionalBoolean, optionalString } from '../json/json-fields.js';
import { parseJson } from '../json/parse-json.js';
import type { ModelMetadata, ServerMetadata, TensorMetadata } from '../protocol-types.js';

export function readServerMetadata(value: unknown): ServerMetadata {
  const fields = objectOf(value, 'The metadata of the server');
  return {
    name: optionalString(fields['name'], 'name') ?? '',
    version: optionalString(fields['version'], 'version') ?? '',
    extensions: strings(fields['extensions'], 'extensions'),
  };
}

export function readModelMetadata(value: unknown): ModelMetadata {
  const fields = objectOf(value, 'The metadata of the model');
  return {
    name: optionalString(fields['name'], 'name') ?? '',
    platform: optionalString(fields['platform'], 'platform') ?? '',
    versions: strings(fields['versions'], 'versions'),
    inputs: tensors(fields['inputs'], 'inputs'),
    outputs: tensors(fields['outputs'], 'outputs'),
  };
}

/** Request of the model index: true if only ready models are wanted. An empty body wants all. */
export function readIndexRequest(body: Uint8Array): boolean {
  if (body.length === 0) return false;
  return optionalBoolean(objectOf(parseJson(body), 'The body')['ready'], 'ready') ?? false;
}

function strings(value: unknown, field: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value;
  throw new AppError('MALFORMED_REQUEST', `The field ${field} must be an array of strings.`);
}

function tensors(value: unknown, field: string): readonly TensorMetadata[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new AppError('MALFORMED_REQUEST', `The field ${field} must be an array of tensors.`);
  return value.map((entry) => {
    const { name, datatype, shape } = objectOf(entry, `Each entry of ${field}`);
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size));
    if (typeof name === 'string' && typeof datatype === 'string' && isShape) return { name, datatype, shape };
    throw new AppError('MALFORMED_REQUEST', `Each entry of ${field} needs a name, a datatype and a shape of integers.`);
  });
}
