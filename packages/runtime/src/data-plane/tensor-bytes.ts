/** Memory of tensors, for the bound on requests in flight. */
import type { TensorMap } from '@equipoise/core/model';

/** Overhead in bytes of an element of BYTES, since a client may send millions of empty ones. Measured, rounded. */
const TEXT_BYTES = 32;
const VIEW_BYTES = 112;

/** Bytes of the elements. A text counts two per character; each element of BYTES adds its overhead. */
export function tensorBytes(tensors: TensorMap): number {
  let bytes = 0;
  for (const { data } of Object.values(tensors)) {
    if (ArrayBuffer.isView(data)) bytes += data.byteLength;
    else if (Array.isArray(data))
      for (const element of data)
        bytes += typeof element === 'string' ? TEXT_BYTES + 2 * element.length : VIEW_BYTES + lengthOf(element);
  }
  return bytes;
}

function lengthOf(element: unknown): number {
  return element instanceof Uint8Array ? element.byteLength : 0;
}
