/**
 * Tensors as JSON text. It is put together by hand because 64-bit integers keep all their digits only as text. JSON has no NaN and no
 * infinities: they become null. BYTES elements that are not UTF-8 make all elements of their tensor base64.
 */
import type { Tensor } from '@equipoise/core';
import { elementType } from './element-types.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The elements as one flat JSON array in row-major order, and whether BYTES elements are base64. */
export function encodeFlat(tensor: Tensor): { readonly json: string; readonly base64: boolean } {
  const { elements, base64 } = encodeElements(tensor, String);
  return { json: `[${elements.join(',')}]`, base64 };
}

/** The elements as nested JSON arrays (a bare value for a scalar); 64-bit integers that a JSON parser would round are strings. */
export function encodeNested(tensor: Tensor): string {
  const { elements } = encodeElements(tensor, safeInteger);
  if (elements.length === 0) return '[]';
  let parts: readonly string[] = elements;
  for (const size of tensor.shape.toReversed()) parts = grouped(parts, size);
  return parts[0] ?? 'null';
}

function encodeElements(
  { datatype, data }: Tensor,
  bigText: (element: bigint) => string,
): { readonly elements: readonly string[]; readonly base64: boolean } {
  if (datatype === 'BYTES') return encodeByteStrings(data as readonly (string | Uint8Array)[]);
  const { write } = elementType(datatype);
  const elements = Array.from(data as ArrayLike<number | bigint>, (element) => {
    const value = write(element);
    return typeof value === 'bigint' ? bigText(value) : value === undefined ? 'null' : String(value);
  });
  return { elements, base64: false };
}

function encodeByteStrings(data: readonly (string | Uint8Array)[]): {
  readonly elements: readonly string[];
  readonly base64: boolean;
} {
  try {
    const elements = data.map((element) =>
      JSON.stringify(typeof element === 'string' ? element : utf8.decode(element)),
    );
    return { elements, base64: false };
  } catch {
    const elements = data.map((element) => JSON.stringify(Buffer.from(element as string).toString('base64')));
    return { elements, base64: true };
  }
}

function safeInteger(element: bigint): string {
  const safe = element >= BigInt(Number.MIN_SAFE_INTEGER) && element <= BigInt(Number.MAX_SAFE_INTEGER);
  return safe ? String(element) : `"${element}"`;
}

function grouped(parts: readonly string[], size: number): readonly string[] {
  return Array.from(
    { length: parts.length / size },
    (_, index) => `[${parts.slice(index * size, (index + 1) * size).join(',')}]`,
  );
}
