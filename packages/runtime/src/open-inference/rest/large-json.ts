/**
 * A thread that decodes large JSON, so that no other request waits for it: one body at a time of each connection, in the
 * order in which they came. Bodies and tensors change threads without a copy.
 */
import { createRequire } from 'node:module';
import { AppError, type ErrorCode, type ErrorDetails } from '@equipoise/core/model';
import type { BytesInFlight } from '../../data-plane/bytes-in-flight.js';
import { dropError } from '../../net/refusal.js';
import { RpcThread } from '../../worker-rpc.js';
import type { JsonBody, JsonRequests } from './json-requests.js';

export interface JsonQuestion {
  readonly id: number;
  readonly kind: keyof JsonRequests;
  readonly body: JsonBody;
}

export interface JsonFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

export class LargeJson {
  readonly #inbound: BytesInFlight;
  readonly #last = new WeakMap<object, Promise<unknown>>();
  #thread: RpcThread<JsonFailure> | undefined;

  /** Bodies that wait count as `inbound`. */
  constructor(inbound: BytesInFlight) {
    this.#inbound = inbound;
  }

  /** Takes the body's memory. Rejects as `jsonDecoders` throw, or with AppError DROPPED. */
  async decode<K extends keyof JsonRequests>(connection: object, kind: K, body: JsonBody): Promise<JsonRequests[K]> {
    const { length } = body.bytes;
    if (!this.#inbound.take(length)) throw dropError('memory-full');
    const before = this.#last.get(connection) ?? Promise.resolve();
    const decoded = before.then(() => this.#ask(kind, body));
    const settled = decoded.then(
      () => {},
      () => {},
    );
    this.#last.set(connection, settled);
    try {
      return await decoded;
    } finally {
      this.#inbound.release(length);
    }
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #ask<K extends keyof JsonRequests>(kind: K, body: JsonBody): Promise<JsonRequests[K]> {
    if (this.#thread === undefined || this.#thread.isOver) this.#thread = newThread();
    const { id, answer } = this.#thread.expectAnswer<JsonRequests[K]>(this);
    this.#thread.postMessage({ id, kind, body } satisfies JsonQuestion, [body.bytes.buffer]);
    return answer;
  }
}

function newThread(): RpcThread<JsonFailure> {
  return new RpcThread<JsonFailure>({
    entry: createRequire(import.meta.url).resolve('@equipoise/runtime/json-thread'),
    errorOf: ({ code, message, details }) => new AppError(code, message, { details }),
    endedError: (cause) => cause ?? new Error('the thread that decodes JSON has ended'),
  });
}
