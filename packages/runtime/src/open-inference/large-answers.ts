/**
 * Writes large answers as JSON in pieces, one slice in each turn of the event loop, so that other requests wait for at
 * most one slice. Connections take turns.
 */
import type { Tensor } from '@equipoise/core/model';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import type { CancelSignal } from '../data-plane/cancellation.js';
import { MemoryQueue } from '../net/fair-turns.js';
import { dropError } from '../net/refusal.js';

/** The text of as many elements takes about 2 ms. */
const MOST_SMALL_ELEMENTS = 8192;
const SLICE_MS = 4;
/** Bytes of the tensors whose text is being written. The text takes up to 20 times as much. */
const MOST_WRITTEN_BYTES = 4 * 1024 * 1024;
/** Bytes of the tensors that wait. Further answers are dropped. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

/** The connection of the answer; `signal` aborts when its client goes away. */
export interface WritingCall {
  readonly connection: object;
  readonly signal: CancelSignal;
}

interface Writing {
  readonly pieces: Iterator<string>;
  readonly signal: CancelSignal;
  readonly resolve: (json: readonly Uint8Array[]) => void;
  readonly reject: (error: unknown) => void;
  readonly json: Uint8Array[];
}

export interface LargeAnswersDeps {
  readonly nextTurn?: (turn: () => void) => void;
  readonly nowMs?: () => number;
}

/** Bytes of the tensors if other requests would wait for their JSON; undefined if not. Texts are copied quickly. */
export function largeJsonBytes(tensors: readonly Tensor[]): number | undefined {
  let elements = 0;
  let bytes = 0;
  for (const { data } of tensors) {
    if (!ArrayBuffer.isView(data)) continue;
    elements += data.length;
    bytes += data.byteLength;
  }
  return elements > MOST_SMALL_ELEMENTS ? bytes : undefined;
}

export class LargeAnswers {
  readonly #nextTurn: (turn: () => void) => void;
  readonly #nowMs: () => number;
  readonly #waiting = new BytesInFlight(MOST_WAITING_BYTES);
  readonly #memory = new MemoryQueue(MOST_WRITTEN_BYTES);
  /** The next one comes first. */
  readonly #writing: Writing[] = [];

  constructor({ nextTurn = setImmediate, nowMs = () => performance.now() }: LargeAnswersDeps = {}) {
    this.#nextTurn = nextTurn;
    this.#nowMs = nowMs;
  }

  /**
   * Writes the pieces of an answer with `bytes` of tensors. The result is outside of the heap, which is rarely
   * collected. Rejects with AppError DROPPED.
   */
  async write(
    { connection, signal }: WritingCall,
    bytes: number,
    pieces: Iterable<string>,
  ): Promise<readonly Uint8Array[]> {
    if (!this.#waiting.take(bytes)) throw dropError('memory-full');
    try {
      await this.#memory.take(connection, bytes);
      try {
        return await this.#write(signal, pieces);
      } finally {
        this.#memory.release(bytes);
      }
    } finally {
      this.#waiting.release(bytes);
    }
  }

  #write(signal: CancelSignal, pieces: Iterable<string>): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      this.#writing.push({ pieces: pieces[Symbol.iterator](), signal, resolve, reject, json: [] });
      if (this.#writing.length === 1) this.#nextTurn(() => this.#turn());
    });
  }

  #turn(): void {
    const writing = this.#writing.shift() as Writing;
    try {
      if (writing.signal.aborted) throw dropError('cancelled');
      if (this.#slice(writing)) writing.resolve(writing.json);
      else this.#writing.push(writing);
    } catch (error) {
      writing.reject(error);
    }
    if (this.#writing.length > 0) this.#nextTurn(() => this.#turn());
  }

  /** Writes at least one piece; true at the end. */
  #slice({ pieces, json }: Writing): boolean {
    const endsAtMs = this.#nowMs() + SLICE_MS;
    const texts: string[] = [];
    let isDone = false;
    do {
      const next = pieces.next();
      isDone = next.done === true;
      if (!isDone) texts.push(next.value as string);
    } while (!isDone && this.#nowMs() < endsAtMs);
    json.push(Buffer.from(texts.join('')));
    return isDone;
  }
}
