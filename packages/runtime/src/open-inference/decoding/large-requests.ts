/**
 * A thread that decodes large requests, so that other requests do not wait for them. Connections take turns. Bytes and
 * tensors move between threads without a copy.
 */
import { createRequire } from 'node:module';
import { AppError, type ErrorCode, type ErrorDetails } from '@equipoise/core/model';
import type { InboundBytes } from '../../data-plane/bytes-in-flight.js';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import { MemoryQueue } from '../../net/fair-turns.js';
import { dropError } from '../../net/refusal.js';
import { WorkBudget } from '../../net/work-budget.js';
import { RpcThread } from '../../worker-rpc.js';
import type { Decoded, Encoded, RequestKind } from './request-decoders.js';

export interface DecoderQuestion {
  readonly id: number;
  readonly kind: RequestKind;
  readonly encoded: Encoded<RequestKind>;
}

export interface DecoderFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** The request's connection; `signal` aborts when its client goes away. */
export interface DecodingCall {
  readonly connection: object;
  readonly signal: CancelSignal;
}

/** Bytes that the thread holds. Further requests wait outside, where they can be dropped when their clients go away. */
const MOST_BYTES_IN_THREAD = 4 * 1024 * 1024;
/** A thread that is idle for so long ends, because V8 frees no memory of an idle thread. */
const IDLE_MS = 30_000;

/** Without a bound, a few clients that send requests of medium size could take all of the serving thread's time. */
const MEDIUM_WORK = { burstMs: 100, fraction: 0.2 };

/** Limits of the port. `inbound` also counts waiting requests. */
export interface LargeRequestLimits {
  readonly inbound: InboundBytes;
  readonly maxBodyBytes: number;
  readonly maxJsonBytes: number;
  readonly nowMs?: () => number;
}

export class LargeRequests {
  /** Time of the serving thread in which it decodes requests of medium size itself. Further ones are large. */
  readonly mediumWork: WorkBudget;
  readonly #limits: LargeRequestLimits;
  readonly #memory = new MemoryQueue(MOST_BYTES_IN_THREAD);
  #thread: RpcThread<DecoderFailure> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(limits: LargeRequestLimits) {
    this.#limits = limits;
    this.mediumWork = new WorkBudget(MEDIUM_WORK, limits.nowMs ?? (() => performance.now()));
  }

  /** Moves the memory of the bytes to the thread. Rejects with the errors of `requestDecoders`, or AppError DROPPED. */
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
      return await this.#ask(kind, encoded);
    } finally {
      this.#memory.release(length);
      inbound.release(length);
      this.#endWhenIdle();
    }
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #endWhenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#thread?.waitingRequests === 0) void this.#thread.terminate();
    }, IDLE_MS).unref();
  }

  #ask<K extends RequestKind>(kind: K, encoded: Encoded<K>): Promise<Decoded<K>> {
    if (this.#thread === undefined || this.#thread.isOver) this.#thread = newThread(this.#limits);
    const thread = this.#thread;
    const client = {};
    const { id, answer } = thread.expectAnswer<Decoded<K>>(client);
    try {
      thread.postMessage({ id, kind, encoded } satisfies DecoderQuestion, [encoded.bytes.buffer as ArrayBuffer]);
    } catch (error) {
      thread.abandon(client, error as Error);
    }
    return answer;
  }
}

const MIB = 1024 * 1024;
/** A larger young generation would only keep more garbage. */
const YOUNG_MIB = 12;
/** Heap for the most objects that a request within its other limits may have. */
const OBJECTS_MIB = 256;
/** Heap per byte of JSON or gRPC: parsed JSON took less (measured), larger gRPC messages are refused. */
const HEAP_PER_BYTE = 8;

function newThread({ maxBodyBytes, maxJsonBytes }: LargeRequestLimits): RpcThread<DecoderFailure> {
  const oldMib = OBJECTS_MIB + Math.ceil((HEAP_PER_BYTE * (maxBodyBytes + maxJsonBytes)) / MIB);
  return new RpcThread<DecoderFailure>({
    entry: createRequire(import.meta.url).resolve('@equipoise/runtime/decoder-thread'),
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB, maxOldGenerationSizeMb: oldMib },
    errorOf: ({ code, message, details }) => new AppError(code, message, { details }),
    endedError: (cause) => cause ?? new Error('the thread that decodes large requests has ended'),
  });
}
