/** Limit on the bytes in flight. Core has no such policy, because simulated requests have no payload. */
import { invariant, type TensorMap } from '@equipoise/core/model';

export class BytesInFlight {
  #most = Number.POSITIVE_INFINITY;
  #sum = 0;

  constructor(most?: number) {
    this.setMost(most);
  }

  /** Changes the limit. Bytes already in flight stay, even above the new limit. */
  setMost(most = Number.POSITIVE_INFINITY): void {
    this.#most = most;
  }

  get sum(): number {
    return this.#sum;
  }

  get most(): number {
    return this.#most;
  }

  /** Reserves bytes; false if they would exceed the limit. If nothing is in flight, any number is accepted. */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.#sum += bytes;
    return true;
  }

  /** Counts bytes that are in memory already, even above the limit. */
  add(bytes: number): void {
    this.#sum += bytes;
  }

  fits(bytes: number): boolean {
    return this.#sum === 0 || this.lacking(bytes) <= 0;
  }

  /** Number of bytes in flight that would have to go to make room for others. */
  lacking(bytes: number): number {
    return this.#sum + bytes - this.#most;
  }

  release(bytes: number): void {
    invariant(bytes <= this.#sum, 'released bytes were reserved before');
    this.#sum -= bytes;
  }
}

/** Bytes of a body beyond these are large. */
export const MOST_SMALL_BYTES = 64 * 1024;
/** Large bytes may take at most this fraction, so that small bodies fit next to them. */
const LARGE_FRACTION = 0.75;

/** A body without a new byte, or a stream whose request has not ended, for so long may have to make room. */
export const STALLED_MS = 500;

/** A body on its way. */
export interface UnfinishedBody {
  /** Refuses the body and releases its bytes. */
  makeRoom(): void;
}

/** Limit on the bytes of unfinished bodies. Without room, bodies that stall are refused in favor of small ones. */
export class InboundBytes {
  readonly #all: BytesInFlight;
  readonly #large: BytesInFlight;
  readonly #nowMs: () => number;
  /** Times of the latest bytes. The body that has waited longest comes first. */
  readonly #unfinished = new Map<UnfinishedBody, number>();
  /** The last one of `#unfinished`. */
  #latest: UnfinishedBody | undefined;

  /** A body of `maxBodyBytes` always fits alone. */
  constructor(most = Number.POSITIVE_INFINITY, maxBodyBytes = 0, nowMs: () => number = () => performance.now()) {
    this.#all = new BytesInFlight(Math.max(most, maxBodyBytes));
    this.#large = new BytesInFlight(Math.max(LARGE_FRACTION * most, largePart(maxBodyBytes)));
    this.#nowMs = nowMs;
  }

  get sum(): number {
    return this.#all.sum;
  }

  /** True if a body of this length could be reserved now, also because another one makes room for a small one. */
  fits(length: number): boolean {
    const large = largePart(length);
    return this.#large.fits(large) && (this.#all.fits(length) || (large === 0 && this.#stalled() !== undefined));
  }

  /** Reserves more bytes for `body`, which has `before`; false if a limit forbids it. `body` never makes room itself. */
  take(bytes: number, before = 0, body?: UnfinishedBody): boolean {
    const isSmall = before + bytes <= MOST_SMALL_BYTES;
    const large = largePart(before + bytes) - largePart(before);
    if (large > 0 && !this.#large.take(large)) return false;
    while (!this.#all.take(bytes)) {
      if (body !== undefined) this.forget(body);
      if (isSmall && this.#dropStalled()) continue;
      this.#large.release(large);
      return false;
    }
    return true;
  }

  /** Releases all bytes of a body. */
  release(length: number): void {
    this.#all.release(length);
    this.#large.release(largePart(length));
  }

  /** Call after the bytes of a body that is not complete have been reserved. */
  noteProgress(body: UnfinishedBody): void {
    // A body in many small chunks is usually the latest one already, and then keeps its place.
    if (body !== this.#latest) this.#unfinished.delete(body);
    this.#unfinished.set(body, this.#nowMs());
    this.#latest = body;
  }

  /** Call at the end of a body. */
  forget(body: UnfinishedBody): void {
    this.#unfinished.delete(body);
    if (body === this.#latest) this.#latest = undefined;
  }

  #dropStalled(): boolean {
    const body = this.#stalled();
    if (body === undefined) return false;
    this.forget(body);
    body.makeRoom();
    return true;
  }

  /** The body that has stalled longest. */
  #stalled(): UnfinishedBody | undefined {
    for (const [body, sinceMs] of this.#unfinished) return this.#nowMs() - sinceMs >= STALLED_MS ? body : undefined;
    return undefined;
  }
}

function largePart(length: number): number {
  return Math.max(0, length - MOST_SMALL_BYTES);
}

const MOST_PAGE_BYTES = { all: 32 * 1024 * 1024, connection: 1024 * 1024 };

/** Bound on unsent metrics and metadata: 32 MiB in all, and per connection 1 MiB or one larger answer. */
export class PageBytes {
  readonly #all = new BytesInFlight(MOST_PAGE_BYTES.all);
  readonly #byConnection = new WeakMap<object, BytesInFlight>();

  of(connection: object): Pick<BytesInFlight, 'take' | 'release'> {
    const own = this.#byConnection.get(connection) ?? new BytesInFlight(MOST_PAGE_BYTES.connection);
    this.#byConnection.set(connection, own);
    return {
      take: (bytes) => {
        if (!own.take(bytes)) return false;
        if (this.#all.take(bytes)) return true;
        own.release(bytes);
        return false;
      },
      release: (bytes) => {
        own.release(bytes);
        this.#all.release(bytes);
      },
    };
  }
}

/** Measured overheads of one BYTES element. Without them, millions of empty elements would count as nothing. */
const STRING_OVERHEAD_BYTES = 32;
const VIEW_OVERHEAD_BYTES = 112;

/** Memory of all tensors. A string counts two bytes per character, plus the overhead. */
export function tensorBytes(tensors: TensorMap): number {
  let bytes = 0;
  for (const name in tensors) {
    const data = tensors[name]?.data;
    if (ArrayBuffer.isView(data)) bytes += data.byteLength;
    else if (Array.isArray(data))
      for (const element of data)
        bytes +=
          typeof element === 'string'
            ? STRING_OVERHEAD_BYTES + 2 * element.length
            : VIEW_OVERHEAD_BYTES + lengthOf(element);
  }
  return bytes;
}

function lengthOf(element: unknown): number {
  return element instanceof Uint8Array ? element.byteLength : 0;
}
