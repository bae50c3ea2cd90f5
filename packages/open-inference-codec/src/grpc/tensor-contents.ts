/**
 * Elements in the fields of `InferTensorContents`. Several data types share a field. FP16 has none and must be raw. An
 * element outside the range of its type is an error that names its index.
 */

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  AppError,
  boundedName,
  type Datatype,
  elementCount,
  type Tensor,
  type TensorData,
  type TensorType,
} from '@equipoise/core/model';
import { elementType } from '../json-tensors/element-types.js';
import { byteElements, byteStrings } from '../raw-tensors/byte-elements.js';
import type { InferTensorContents, InferTensorContentsSchema } from './open-inference.gen.js';

type Field = Exclude<keyof InferTensorContents, '$typeName' | '$unknown'>;

const fields: Readonly<Record<Exclude<Datatype, 'FP16'>, Field>> = {
  BOOL: 'boolContents',
  UINT8: 'uintContents',
  UINT16: 'uintContents',
  UINT32: 'uintContents',
  UINT64: 'uint64Contents',
  INT8: 'intContents',
  INT16: 'intContents',
  INT32: 'intContents',
  INT64: 'int64Contents',
  FP32: 'fp32Contents',
  FP64: 'fp64Contents',
  BYTES: 'bytesContents',
};

/** Decodes elements. Throws MALFORMED_REQUEST if their number or a value does not fit the type. */
export function readContents(
  type: TensorType & { readonly contentType?: string | undefined },
  contents: InferTensorContents | undefined,
): Tensor {
  const { name, datatype, shape } = type;
  if (datatype === 'FP16') throw malformed(name, 'FP16 is allowed only in raw contents');
  const field = fields[datatype];
  const elements: readonly unknown[] = contents?.[field] ?? [];
  const count = elementCount(shape);
  if (elements.length !== count)
    throw malformed(name, `${elements.length} elements in ${field} where ${count} were expected`);
  if (datatype === 'BYTES') {
    return { datatype, shape, data: byteElements(name, elements as readonly Uint8Array[], type.contentType) };
  }
  return { datatype, shape, data: readNumbers(name, datatype, elements as readonly (number | bigint | boolean)[]) };
}

export function hasElements(contents: InferTensorContents): boolean {
  return Object.values(fields).some((field) => contents[field].length > 0);
}

/** False for FP16, which has no typed contents. */
export function hasContents({ datatype }: Tensor): boolean {
  return datatype !== 'FP16';
}

/** Encodes elements of a data type that has typed contents. */
export function writeContents({ datatype, data }: Tensor): MessageInitShape<typeof InferTensorContentsSchema> {
  if (datatype === 'BYTES')
    return { bytesContents: [...byteStrings(data as readonly string[])] as Uint8Array<ArrayBuffer>[] };
  const elements = Array.from(data as ArrayLike<number>);
  return { [fields[datatype as 'UINT8']]: datatype === 'BOOL' ? elements.map(Boolean) : elements };
}

function readNumbers(name: string, datatype: Datatype, elements: readonly (number | bigint | boolean)[]): TensorData {
  const { allocate, read } = elementType(datatype);
  const storage = allocate(elements.length);
  const checked = datatype !== 'FP32' && datatype !== 'FP64' && typeof elements[0] !== 'bigint';
  for (const [index, element] of elements.entries()) {
    const value = checked ? read(element) : (element as number | bigint);
    if (value === undefined) throw malformed(name, `element ${index} is not of type ${datatype}`);
    storage[index] = value;
  }
  return storage;
}

function malformed(name: string, problem: string): AppError {
  const tensor = boundedName(name);
  return new AppError('MALFORMED_REQUEST', `Tensor ${tensor}: ${problem}.`, { details: { tensor } });
}
