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

  /** Reserves bytes; false if they would exceed the limit. If nothing is in flight, any number is accepted. */
  take(bytes: number): boolean {
    if (this.#sum > 0 && this.#sum + bytes > this.#most) return false;
    this.#sum += bytes;
    return true;
  }

  release(bytes: number): void {
    invariant(bytes <= this.#sum, 'released bytes were reserved before');
    this.#sum -= bytes;
  }
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
  for (const { data } of Object.values(tensors)) {
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
