/**
 * Raw tensors of REST and gRPC: row-major, little-endian, without padding. A BOOL is one byte, 0 or 1. A uint32 length
 * precedes each BYTES element. Decoded numbers are views if aligned, otherwise copies. Their memory never exceeds the
 * received bytes. An element of BYTES takes more memory than its bytes, so the number of elements is bounded.
 */
import {
  AppError,
  boundedName,
  type Datatype,
  elementCount,
  invariant,
  type NumericData,
  numericStorage,
  type Tensor,
} from '@equipoise/core/model';
import { byteElements, byteStrings } from './byte-elements.js';

const LENGTH_BYTES = 4;
/** Even an empty element takes about 110 bytes of memory, but only four bytes of a message. */
const MOST_BYTES_ELEMENTS = 1_048_576;

invariant(
  new Uint8Array(Uint16Array.of(1).buffer)[0] === 1,
  'this machine is little-endian, as the raw form of tensors is',
);

/** Type of a raw tensor. `contentType` is the tensor parameter `content_type`. */
export interface RawTensorType {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly contentType?: string | undefined;
}

/** Decodes a tensor. Throws MALFORMED_REQUEST unless `bytes` are exactly one tensor. */
export function decodeRaw(type: RawTensorType, bytes: Uint8Array): Tensor {
  const { datatype, shape } = type;
  return {
    datatype,
    shape,
    data: datatype === 'BYTES' ? decodeElements(type, bytes) : decodeNumbers(type, datatype, bytes),
  };
}

/** Encodes a tensor. Numbers are returned without a copy. */
export function encodeRaw({ datatype, data }: Tensor): Uint8Array {
  if (datatype !== 'BYTES') {
    const numbers = data as NumericData;
    return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  }
  const elements = byteStrings(data as readonly (string | Uint8Array)[]);
  const bytes = new Uint8Array(elements.reduce((length, element) => length + LENGTH_BYTES + element.length, 0));
  const lengths = new DataView(bytes.buffer);
  let at = 0;
  for (const element of elements) {
    lengths.setUint32(at, element.length, true);
    bytes.set(element, at + LENGTH_BYTES);
    at += LENGTH_BYTES + element.length;
  }
  return bytes;
}

function decodeNumbers(type: RawTensorType, datatype: Exclude<Datatype, 'BYTES'>, bytes: Uint8Array): NumericData {
  const NumbersOf = numericStorage[datatype];
  const count = elementCount(type.shape);
  const expected = count * NumbersOf.BYTES_PER_ELEMENT;
  if (bytes.length !== expected) throw malformed(type, `${bytes.length} bytes where ${expected} were expected`);
  if (datatype === 'BOOL') checkBooleans(type, bytes);
  const aligned = bytes.byteOffset % NumbersOf.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset } = aligned ? bytes : new Uint8Array(bytes);
  return new NumbersOf(buffer, byteOffset, count);
}

function checkBooleans(type: RawTensorType, bytes: Uint8Array): void {
  const odd = bytes.findIndex((byte) => byte > 1);
  if (odd >= 0) throw malformed(type, `element ${odd} is neither 0 nor 1`);
}

function decodeElements(type: RawTensorType, bytes: Uint8Array): readonly string[] | readonly Uint8Array[] {
  const count = elementCount(type.shape);
  if (count > MOST_BYTES_ELEMENTS) throw malformed(type, `more than ${MOST_BYTES_ELEMENTS} elements`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (elements.length === count) throw malformed(type, `bytes are left over behind ${count} elements`);
    const start = at + LENGTH_BYTES;
    const length = start <= bytes.length ? view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (start + length > bytes.length) throw malformed(type, `element ${elements.length} goes beyond its end`);
    elements.push(bytes.subarray(start, start + length));
    at = start + length;
  }
  if (elements.length !== count) throw malformed(type, `${elements.length} elements where ${count} were expected`);
  return byteElements(type.name, elements, type.contentType);
}

function malformed({ name, datatype }: RawTensorType, problem: string): AppError {
  const tensor = boundedName(name);
  return new AppError('MALFORMED_REQUEST', `The raw bytes of tensor ${tensor}: ${problem}.`, {
    details: { tensor, datatype },
  });
}
