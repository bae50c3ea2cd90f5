/** Reads request bodies within bounds that are checked before and while reading. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { AppError } from '@equipoise/core/model';
import { RAW_ALIGNMENT_BYTES } from '@equipoise/open-inference-codec';
import { type InboundBytes, MOST_SMALL_BYTES } from '../data-plane/bytes-in-flight.js';
import { freeChunk } from '../data-plane/free-memory.js';
import { noPressure, type Pressure } from './accept-pressure.js';
import { FIRST_BODY_BYTE_MS } from './connection-limit.js';
import { readTurns } from './fair-turns.js';
import { dropError } from './refusal.js';

/** Layout of a body in memory: the byte at offset `alignAt` is aligned for every number type. */
export interface BodyLayout {
  readonly alignAt: number;
  /** True if nothing keeps the body after the call. The body may then share transport memory. */
  readonly isTransient?: boolean;
}

/** Size limit of one kind of body, below the limit of the port, and the error for larger bodies. */
export interface BodyLimit {
  readonly mostBytes: number;
  readonly error: () => AppError;
}

/** A body may have `FREE_CHUNKS` chunks, and one more per `LEAST_MEAN_BYTES` bytes. */
const FREE_CHUNKS = 1024;
const LEAST_MEAN_BYTES = 64;
/** Chunks of at least this size are kept without a copy. */
const LARGE_CHUNK_BYTES = 4096;
const MOST_BLOCK_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);
/** After so many bytes a body waits for the next turn. Node reads up to 2 MiB of a connection per turn. */
const BYTES_PER_TURN = { first: 1024 * 1024, later: 256 * 1024 };

export type RequestBody = Readable & { readonly headers: IncomingHttpHeaders };

export interface BodyBounds {
  readonly maxBodyBytes: number;
  readonly limit?: BodyLimit | undefined;
  /** Time limit; undefined if the connection's server sets the limit. */
  readonly timeoutMs: number | undefined;
  /** Called for a body in too many chunks, before it is refused. */
  readonly stopReading?: (() => void) | undefined;
  /** Bytes of all unfinished bodies. Clients that never finish a body must not fill the memory. */
  readonly inbound: InboundBytes;
  /** New clients of the port. While they wait, less is read in a turn. */
  readonly pressure?: Pressure | undefined;
}

/**
 * Rejects with AppError BODY_TOO_LARGE or DROPPED (the rest is not read), REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE or
 * MALFORMED_REQUEST (also for too many chunks).
 */
export async function readBody(
  request: RequestBody,
  options: BodyBounds & { readonly beforeReading: () => void } & Partial<BodyLayout>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { beforeReading, alignAt = 0, isTransient = false } = options;
  const { mostBytes, error } = limitOf(options);
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': transfer = 'chunked' } = request.headers;
  if (encoding !== 'identity') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a content-encoding.');
  }
  // Node unpacks only chunks. Another coding before it would be taken for the body itself.
  if (transfer.toLowerCase() !== 'chunked') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body with no transfer-encoding other than chunked.');
  }
  const statedBytes = Number(request.headers['content-length'] ?? 0);
  if (statedBytes > mostBytes) throw error();
  if (!options.inbound.fits(statedBytes)) throw dropError('memory-full');
  beforeReading();
  const received = new BodyChunks();
  await receive(request, options, received);
  // The listeners outlive the body and would keep its chunks in memory.
  const chunks = received.takeAll();
  const [first] = chunks;
  if (isTransient && chunks.length === 1 && first !== undefined) return first;
  const body = alignedBody(chunks, alignAt);
  for (const chunk of chunks) freeChunk(chunk);
  return body;
}

/**
 * Chunks of an unfinished body. Even a small chunk costs work and memory. So the size of the body bounds the number of
 * chunks, and small chunks are joined.
 */
export class BodyChunks {
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  /** Buffer for small chunks, filled up to `#joined`. A new one is as long as the body so far, 256 bytes to 64 KiB. */
  #block = NOTHING;
  #joined = 0;
  #count = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Throws AppError MALFORMED_REQUEST for too many chunks. */
  take(chunk: Uint8Array<ArrayBuffer>): void {
    this.#length += chunk.length;
    if (++this.#count > FREE_CHUNKS + this.#length / LEAST_MEAN_BYTES) throw tooManyChunks();
    if (this.#length === chunk.length || chunk.length >= LARGE_CHUNK_BYTES) {
      this.#endBlock();
      this.#parts.push(chunk);
    } else this.#join(chunk);
  }

  /** Returns the bytes in order and forgets them. */
  takeAll(): readonly Uint8Array<ArrayBuffer>[] {
    this.#endBlock();
    return this.#parts.splice(0);
  }

  #join(chunk: Uint8Array): void {
    if (chunk.length > this.#block.length - this.#joined) {
      this.#endBlock();
      this.#block = new Uint8Array(Math.min(Math.max(this.#length, 256), MOST_BLOCK_BYTES));
    }
    this.#block.set(chunk, this.#joined);
    this.#joined += chunk.length;
  }

  #endBlock(): void {
    if (this.#joined === 0) return;
    this.#parts.push(this.#block.subarray(0, this.#joined));
    this.#block = this.#block.subarray(this.#joined);
    this.#joined = 0;
  }
}

function receive(request: RequestBody, bounds: BodyBounds, received: BodyChunks): Promise<void> {
  const { timeoutMs, inbound } = bounds;
  const { mostBytes, error } = limitOf(bounds);
  return new Promise((resolve, reject) => {
    let length = 0;
    const takeTurn = turnsOf(request, bounds.pressure);
    let isSettled = false;
    let timer: NodeJS.Timeout | undefined;
    const limitTime = (firstMs: number, wholeMs: number) => {
      const late = () => {
        if (length > 0 && firstMs < wholeMs) limitTime(wholeMs - firstMs, wholeMs - firstMs);
        else refuse(new AppError('REQUEST_TIMEOUT', 'The request did not arrive in time.'));
      };
      timer = setTimeout(late, Math.min(firstMs, wholeMs));
    };
    if (timeoutMs !== undefined) limitTime(FIRST_BODY_BYTE_MS, timeoutMs);
    // The listeners stay on the request: removing them costs more.
    const settle = (end: () => void) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      inbound.forget(unfinished);
      inbound.release(length);
      end();
    };
    const ended = () => settle(resolve);
    const refuse = (problem: AppError) =>
      settle(() => {
        for (const chunk of received.takeAll()) freeChunk(chunk);
        reject(problem);
      });
    const unfinished = { makeRoom: () => refuse(dropError('memory-full')) };
    // Every request closes: creating the error for a complete body would take 5 % of the time for a small request.
    const cutOff = () => {
      if (!isSettled) refuse(new AppError('MALFORMED_REQUEST', 'The body ended early.'));
    };
    const take = (chunk: Uint8Array<ArrayBuffer>) => {
      if (isSettled) return;
      if (length + chunk.length > mostBytes) refuse(error());
      else if (!inbound.take(chunk.length, length, unfinished)) refuse(dropError('memory-full'));
      else {
        length += chunk.length;
        inbound.noteProgress(unfinished);
        try {
          received.take(chunk);
          takeTurn(length, chunk.length);
        } catch (problem) {
          bounds.stopReading?.();
          refuse(problem as AppError);
        }
      }
    };
    request.on('data', take).on('end', ended).on('error', cutOff).on('close', cutOff);
  });
}

/** Counts the bytes of a large body. The body waits once it has had its turn. */
function turnsOf(request: RequestBody, pressure = noPressure): (length: number, bytes: number) => void {
  let turnEnds = BYTES_PER_TURN.first;
  return (length, bytes) => {
    if (length <= MOST_SMALL_BYTES) return;
    const hasHadTurn = length >= turnEnds;
    if (hasHadTurn) turnEnds = length + BYTES_PER_TURN.later;
    readTurns.take(request, bytes, { hasHadTurn, isPressed: pressure.isHigh });
  };
}

/** Copies: Node's buffers may be slices of a shared pool, and the body moves to a replica. */
export function alignedBody(chunks: readonly Uint8Array[], alignAt: number): Uint8Array<ArrayBuffer> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const offset = alignAt < length ? -alignAt & (RAW_ALIGNMENT_BYTES - 1) : 0;
  // Only the gap needs zeros: the chunks overwrite the rest. Zeroing 588 KiB takes 40 µs.
  const whole = Buffer.allocUnsafeSlow(offset + length).fill(0, 0, offset);
  const body = new Uint8Array(whole.buffer, offset, length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

function limitOf({ maxBodyBytes, limit }: BodyBounds): BodyLimit {
  if (limit !== undefined && limit.mostBytes < maxBodyBytes) return limit;
  return { mostBytes: maxBodyBytes, error: () => tooLarge(maxBodyBytes) };
}

function tooManyChunks(): AppError {
  const most = `${FREE_CHUNKS} chunks and one for every ${LEAST_MEAN_BYTES} bytes`;
  return new AppError('MALFORMED_REQUEST', `The body has more than ${most}. Send larger chunks.`);
}

function tooLarge(maxBodyBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `The body is larger than the limit of ${maxBodyBytes} bytes.`, {
    details: { maxBodyBytes },
  });
}
