/** Bytes of requests in flight, with a bound. This is no request policy, because only real payloads have a size. */
import { invariant, type TensorMap } from '@equipoise/core/model';

export class BytesInFlight {
  #most = Number.POSITIVE_INFINITY;
  #sum = 0;

  constructor(most?: number) {
    this.setMost(most);
  }

  /** Sets another bound, or none. Requests in flight stay. */
  setMost(most = Number.POSITIVE_INFINITY): void {
    this.#most = most;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Adds `bytes` unless the sum would exceed the bound. The first request is always accepted. */
  take(bytes: number): boolean {
    if (this.#sum > 0 && this.#sum + bytes > this.#most) return false;
    this.#sum += bytes;
    return true;
  }

  /** Subtracts accepted bytes. */
  release(bytes: number): void {
    invariant(bytes <= this.#sum, 'no more bytes go than came');
    this.#sum -= bytes;
  }
}

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
