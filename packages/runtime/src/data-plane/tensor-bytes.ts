/** How much memory tensors hold, for the bound on what is in flight. */
import type { TensorMap } from '@equipoise/core/model';

/** What the engine spends on an element of BYTES beside its content: a client may send millions that are empty. Measured, rounded. */
const TEXT_BYTES = 32;
const VIEW_BYTES = 112;

/** Bytes of the elements; a text counts two a character, and each element of BYTES what holding it takes. */
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
