/** How much memory tensors hold, for the bound on what is in flight. */
import type { TensorMap } from '@equipoise/core';

/** Bytes of the elements; a text counts two a character. */
export function tensorBytes(tensors: TensorMap): number {
  let bytes = 0;
  for (const { data } of Object.values(tensors)) {
    if (ArrayBuffer.isView(data)) bytes += data.byteLength;
    else if (Array.isArray(data))
      for (const element of data) bytes += typeof element === 'string' ? 2 * element.length : lengthOf(element);
  }
  return bytes;
}

function lengthOf(element: unknown): number {
  return element instanceof Uint8Array ? element.byteLength : 0;
}
