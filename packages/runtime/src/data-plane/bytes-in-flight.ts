/**
 * How many bytes the tensors of the requests in flight have, bounded. It stands here and not among the request policies, because payloads
 * have a size only where they are real.
 */
import { invariant } from '@equipoise/core/model';

/** A bounded sum of bytes. */
export class BytesInFlight {
  #most = Number.POSITIVE_INFINITY;
  #sum = 0;

  constructor(most?: number) {
    this.setMost(most);
  }

  /** Another bound from now on, or none; what is in flight stays. */
  setMost(most = Number.POSITIVE_INFINITY): void {
    this.#most = most;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Counts `bytes` in, unless that would be too many; what comes while nothing is in flight always may. */
  take(bytes: number): boolean {
    if (this.#sum > 0 && this.#sum + bytes > this.#most) return false;
    this.#sum += bytes;
    return true;
  }

  /** Counts bytes out that were taken. */
  release(bytes: number): void {
    invariant(bytes <= this.#sum, 'no more bytes go than came');
    this.#sum -= bytes;
  }
}
