/**
 * Encodes tensors as JSON text, with 64-bit integers, which JSON.stringify cannot write. NaN and infinities become
 * null. If one BYTES element is not UTF-8, all elements of the tensor become base64.
 */
import type { Tensor } from '@equipoise/core/model';
import { byteStrings, textsOf } from '../raw-tensors/byte-elements.js';
import { elementType } from './element-types.js';
import { jsonOfNumbers } from './flat-numbers.js';

export interface EncodedElements {
  readonly elements: readonly string[];
  readonly base64: boolean;
}

/**
 * Encodes a flat array in row-major order. With `exactBytes`, a tensor that has a `Uint8Array` element becomes base64.
 */
export function encodeFlat(tensor: Tensor, exactBytes = false): { readonly json: string; readonly base64: boolean } {
  const numbers = jsonOfNumbers(tensor.datatype, tensor.data);
  if (numbers !== undefined) return { json: numbers, base64: false };
  const { elements, base64 } =
    exactBytes && hasBytes(tensor) ? inBase64(tensor.data as readonly string[]) : encodeElements(tensor, String);
  return { json: `[${elements.join(',')}]`, base64 };
}

/** Encodes nested arrays (for a scalar, a bare value). 64-bit integers that JSON parsers would round become strings. */
export function encodeNested(tensor: Tensor): string {
  const { elements } = encodeElements(tensor, safeInteger);
  if (elements.length === 0) return '[]';
  let parts: readonly string[] = elements;
  for (const size of tensor.shape.toReversed()) parts = grouped(parts, size);
  return parts[0] ?? 'null';
}

/** JSON text of each element. */
export function encodeElements({ datatype, data }: Tensor, bigText: (element: bigint) => string): EncodedElements {
  if (datatype === 'BYTES') return encodeByteStrings(data as readonly (string | Uint8Array)[]);
  const { write } = elementType(datatype);
  const elements = Array.from(data as ArrayLike<number | bigint>, (element) => {
    const value = write(element);
    return typeof value === 'bigint' ? bigText(value) : value === undefined ? 'null' : String(value);
  });
  return { elements, base64: false };
}

function encodeByteStrings(data: readonly (string | Uint8Array)[]): EncodedElements {
  const bytes = data.filter((element) => typeof element !== 'string');
  const texts = bytes.length === 0 ? (data as readonly string[]) : textsOf(byteStrings(data));
  if (texts === undefined) return inBase64(data);
  return { elements: texts.map((text) => JSON.stringify(text)), base64: false };
}

function inBase64(data: readonly (string | Uint8Array)[]): EncodedElements {
  const elements = data.map((element) => `"${Buffer.from(element as string).toString('base64')}"`);
  return { elements, base64: true };
}

function hasBytes({ datatype, data }: Tensor): boolean {
  return datatype === 'BYTES' && (data as readonly unknown[]).some((element) => typeof element !== 'string');
}

/** Text of a 64-bit integer; a JSON string if JSON parsers would round it. */
export function safeInteger(element: bigint): string {
  const safe = element >= BigInt(Number.MIN_SAFE_INTEGER) && element <= BigInt(Number.MAX_SAFE_INTEGER);
  return safe ? String(element) : `"${element}"`;
}

function grouped(parts: readonly string[], size: number): readonly string[] {
  return Array.from(
    { length: parts.length / size },
    (_, index) => `[${parts.slice(index * size, (index + 1) * size).join(',')}]`,
  );
}
