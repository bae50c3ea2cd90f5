/**
 * A thread that decodes large requests, so that other requests do not wait for them. Connections take turns. Bytes and
 * tensors move between threads without a copy.
 */
import type { InboundBytes } from '../../data-plane/bytes-in-flight.js';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import { noPressure, type Pressure } from '../../net/accept-pressure.js';
import { MemoryQueue } from '../../net/fair-turns.js';
import { dropError } from '../../net/refusal.js';
import { WorkBudget } from '../../net/work-budget.js';
import type { Decoded, Encoded, RequestKind } from './decoders.js';
import { ThreadedDecoder } from './threaded-decoder.js';

/** The request's connection; `signal` aborts when its client goes away. */
export interface DecodingCall {
  readonly connection: object;
  readonly signal: CancelSignal;
}

/** Bytes that the thread holds. Further requests wait outside, where they can be dropped when their clients go away. */
const MOST_BYTES_IN_THREAD = 4 * 1024 * 1024;

/** Without a bound, a few clients that send requests of medium size could take all of the serving thread's time. */
const MEDIUM_WORK = { burstMs: 100, fraction: 0.2 };

/** Limits of the port. `inbound` also counts waiting requests. */
export interface LargeRequestLimits {
  readonly inbound: InboundBytes;
  readonly maxBodyBytes: number;
  readonly maxJsonBytes: number;
  /** New clients of the server. While they wait, the thread decodes all requests of medium size. */
  readonly pressure?: Pressure;
  readonly nowMs?: () => number;
}

export class LargeRequests {
  /** Time of the serving thread in which it decodes requests of medium size itself. Further ones are large. */
  readonly mediumWork: WorkBudget;
  readonly #limits: LargeRequestLimits;
  readonly #pressure: Pressure;
  readonly #memory = new MemoryQueue(MOST_BYTES_IN_THREAD);
  readonly #decoder: ThreadedDecoder;

  constructor(limits: LargeRequestLimits) {
    this.#limits = limits;
    this.#pressure = limits.pressure ?? noPressure;
    this.#decoder = new ThreadedDecoder(limits.maxBodyBytes + limits.maxJsonBytes);
    this.mediumWork = new WorkBudget(MEDIUM_WORK, limits.nowMs ?? (() => performance.now()));
  }

  /** True if the serving thread may decode a request of medium size now. */
  get mayDecodeHere(): boolean {
    return this.mediumWork.owedMs <= 0 && !this.#pressure.isHigh;
  }

  /** Moves the memory of the bytes to the thread. Rejects with the errors of `decoders`, or AppError DROPPED. */
  async decode<K extends RequestKind>(
    { connection, signal }: DecodingCall,
    kind: K,
    encoded: Encoded<K>,
  ): Promise<Decoded<K>> {
    const { length } = encoded.bytes;
    const { inbound } = this.#limits;
    if (!inbound.take(length)) throw dropError('memory-full');
    await this.#memory.take(connection, length);
    try {
      if (signal.aborted) throw dropError('cancelled');
      return await this.#decoder.decode(kind, encoded);
    } finally {
      this.#memory.release(length);
      inbound.release(length);
    }
  }

  async close(): Promise<void> {
    await this.#decoder.close();
  }
}
