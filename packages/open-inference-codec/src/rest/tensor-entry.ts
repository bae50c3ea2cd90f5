/**
 * One tensor: a JSON entry with `data`, or with `parameters.binary_data_size` and bytes after the JSON. BYTES in JSON
 * are text, or base64 if `parameters.content_type` says so.
 */
import { AppError, boundedName, type Tensor, type TensorType } from '@equipoise/core/model';
import { type Fields, optionalObject } from '../json/json-fields.js';
import { decodeTensor, tensorMismatch } from '../json-tensors/decode-tensor.js';
import { encodeFlat } from '../json-tensors/encode-tensor.js';
import { flatPieces } from '../json-tensors/tensor-pieces.js';
import { BASE64, CONTENT_TYPE, contentTypeOf } from '../raw-tensors/byte-elements.js';
import { decodeRaw, encodeRaw } from '../raw-tensors/raw-tensor.js';
import type { ReceivedBody } from './rest-body.js';

const SIZE = 'binary_data_size';

/** Origin of an entry: place `index` in the array `field` of a body. */
export interface EntrySource extends ReceivedBody {
  readonly field: 'inputs' | 'outputs';
  readonly index: number;
}

/** True if the elements of a BYTES entry are texts in JSON. */
export function isJsonText({ data, parameters }: Fields): boolean {
  return data !== undefined && optionalObject(parameters, 'parameters')[CONTENT_TYPE] !== BASE64;
}

/** Reads an entry whose type is checked. Throws if its elements or bytes do not fit. */
export function readEntry(type: TensorType, fields: Fields, from: EntrySource): Tensor {
  const { raw } = from;
  const data = isLong(type) ? exactData(fields, from) : fields['data'];
  const parameters = optionalObject(fields['parameters'], 'parameters');
  const contentType = contentTypeOfEntry(type.name, parameters);
  if (parameters[SIZE] !== undefined) {
    if (data !== undefined) throw malformed(type.name, 'it has both data and binary_data_size');
    return decodeRaw({ contentType, ...type }, raw.take(type.name, parameters[SIZE]));
  }
  if (!Array.isArray(data)) throw tensorMismatch(type.name, 'its data must be an array, flat or nested as the shape');
  const tensor = decodeTensor(type, type.shape, data);
  return type.datatype === 'BYTES' && contentType === BASE64 ? fromBase64(type.name, tensor) : tensor;
}

export interface WrittenEntry {
  readonly json: string;
  readonly raw?: Uint8Array;
}

/**
 * Writes an entry. BYTES become base64 if an element is not UTF-8. With `exactBytes` (requests), one `Uint8Array`
 * element suffices.
 */
export function writeJsonEntry(name: string, tensor: Tensor, exactBytes: boolean): WrittenEntry {
  const { json, base64 } = encodeFlat(tensor, exactBytes);
  const parameters = base64 ? `,"parameters":{"${CONTENT_TYPE}":"${BASE64}"}` : '';
  return { json: `{${head(name, tensor)}${parameters},"data":${json}}` };
}

/** The text of `writeJsonEntry` for an answer, in pieces. */
export function* jsonEntryPieces(name: string, tensor: Tensor): Generator<string> {
  // Texts may become base64, which the entry states before its data.
  if (tensor.datatype === 'BYTES') return yield writeJsonEntry(name, tensor, false).json;
  yield `{${head(name, tensor)},"data":`;
  yield* flatPieces(tensor);
  yield '}';
}

export function writeRawEntry(name: string, tensor: Tensor): WrittenEntry {
  const raw = encodeRaw(tensor);
  const stated =
    tensor.datatype === 'BYTES' ? contentTypeOf(tensor.data as readonly (string | Uint8Array)[]) : undefined;
  const contentType = stated === undefined ? '' : `"${CONTENT_TYPE}":"${stated}",`;
  return { json: `{${head(name, tensor)},"parameters":{${contentType}"${SIZE}":${raw.length}}}`, raw };
}

function head(name: string, { datatype, shape }: Tensor): string {
  return `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":${JSON.stringify(shape)}`;
}

function isLong({ datatype }: TensorType): boolean {
  return datatype === 'INT64' || datatype === 'UINT64';
}

function exactData(fields: Fields, { exactValue, field, index }: EntrySource): unknown {
  const exact = exactValue() as Readonly<Record<string, readonly Fields[]>> | undefined;
  return (exact?.[field]?.[index] ?? fields)['data'];
}

function contentTypeOfEntry(name: string, parameters: Fields): string | undefined {
  const contentType = parameters[CONTENT_TYPE];
  if (contentType === undefined || typeof contentType === 'string') return contentType;
  throw malformed(name, 'content_type must be a string');
}

function fromBase64(name: string, { datatype, shape, data }: Tensor): Tensor {
  const elements = (data as readonly string[]).map((text, index) => {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
      throw malformed(name, `element ${index} is not base64`);
    }
    return new Uint8Array(Buffer.from(text, 'base64'));
  });
  return { datatype, shape, data: elements };
}

function malformed(name: string, problem: string): AppError {
  const tensor = boundedName(name);
  return new AppError('MALFORMED_REQUEST', `Tensor ${tensor}: ${problem}.`, { details: { tensor } });
}
