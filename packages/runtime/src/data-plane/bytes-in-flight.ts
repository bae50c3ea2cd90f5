/**
 * Bounded sum of the tensor bytes of requests in flight. It is not a request policy, because only real payloads have a
 * size.
 */
import { invariant } from '@equipoise/core/model';

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
