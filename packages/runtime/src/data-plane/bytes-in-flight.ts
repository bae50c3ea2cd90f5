/** Bytes of requests in flight, with a bound. Only real payloads have a size, so this is no request policy. */
import { invariant, type TensorMap } from '@equipoise/core/model';

export class BytesInFlight {
  #most = Number.POSITIVE_INFINITY;
  #sum = 0;

  constructor(most?: number) {
    this.setMost(most);
  }

  /** Requests in flight stay. */
  setMost(most = Number.POSITIVE_INFINITY): void {
    this.#most = most;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Returns false above the bound. The first request is always accepted. */
  take(bytes: number): boolean {
    if (this.#sum > 0 && this.#sum + bytes > this.#most) return false;
    this.#sum += bytes;
    return true;
  }

  release(bytes: number): void {
    invariant(bytes <= this.#sum, 'no more bytes go than came');
    this.#sum -= bytes;
  }
}

/** Overhead in bytes of a BYTES element: clients may send millions of empty ones. Measured, rounded. */
const TEXT_BYTES = 32;
const VIEW_BYTES = 112;

/** A text counts two bytes per character plus its overhead. */
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
