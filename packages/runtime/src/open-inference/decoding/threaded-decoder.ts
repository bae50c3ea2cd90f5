/** Decodes in a thread of its own, which starts with the first message. Bytes and tensors move without a copy. */
import { createRequire } from 'node:module';
import { AppError, type ErrorCode, type ErrorDetails } from '@equipoise/core/model';
import { RpcThread } from '../../worker-rpc.js';
import type { Decoded, Encoded, MessageKind } from './decoders.js';

export interface DecoderQuestion {
  readonly id: number;
  readonly kind: MessageKind;
  readonly encoded: Encoded<MessageKind>;
}

export interface DecoderFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** A thread that is idle for so long ends, because V8 frees no memory of an idle thread. */
const IDLE_MS = 30_000;

export class ThreadedDecoder {
  readonly #mostBytes: number;
  #thread: RpcThread<DecoderFailure> | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** `mostBytes`: JSON or gRPC that the thread may hold at once. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Moves the memory of the bytes to the thread. Rejects with the errors of `decoders`, or if the thread ends. */
  async decode<K extends MessageKind>(kind: K, encoded: Encoded<K>): Promise<Decoded<K>> {
    try {
      return await this.#ask(kind, encoded);
    } finally {
      this.#endWhenIdle();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#thread?.terminate();
  }

  #endWhenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#thread?.waitingRequests === 0) void this.#thread.terminate();
    }, IDLE_MS).unref();
  }

  #ask<K extends MessageKind>(kind: K, encoded: Encoded<K>): Promise<Decoded<K>> {
    if (this.#thread === undefined || this.#thread.isOver) this.#thread = newThread(this.#mostBytes);
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

function newThread(mostBytes: number): RpcThread<DecoderFailure> {
  const oldMib = OBJECTS_MIB + Math.ceil((HEAP_PER_BYTE * mostBytes) / MIB);
  return new RpcThread<DecoderFailure>({
    entry: createRequire(import.meta.url).resolve('@equipoise/runtime/decoder-thread'),
    heapMib: { young: YOUNG_MIB, old: oldMib },
    errorOf: ({ code, message, details }) => new AppError(code, message, { details }),
    endedError: (cause) => cause ?? new Error('the thread that decodes large messages has ended'),
  });
}
