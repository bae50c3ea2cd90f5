/** Reads request bodies into their own memory, within bounds checked before and while reading. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { AppError } from '@equipoise/core/model';
import { RAW_ALIGNMENT_BYTES } from '@equipoise/open-inference-codec';
import type { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { FIRST_BODY_BYTE_MS } from './connection-limit.js';
import { dropError } from './refusal.js';

/** The byte at offset `alignAt` is aligned for numbers of every kind. */
export interface BodyLayout {
  readonly alignAt: number;
  /** True if nothing keeps the body: then it may share the memory of the transport. */
  readonly isTransient?: boolean;
}

/** A limit of one kind of body, below that of the port, with the error beyond it. */
export interface BodyLimit {
  readonly mostBytes: number;
  readonly error: () => AppError;
}

export type RequestBody = Readable & { readonly headers: IncomingHttpHeaders };

export interface BodyBounds {
  readonly maxBodyBytes: number;
  readonly limit?: BodyLimit | undefined;
  /** Undefined if the server of the connection limits the time. */
  readonly timeoutMs: number | undefined;
  /** Bytes of all unfinished bodies: clients that hold back ends must not fill the memory. */
  readonly inbound: BytesInFlight;
}

/**
 * Rejects with AppError BODY_TOO_LARGE or DROPPED (the rest is not read), REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE or
 * MALFORMED_REQUEST.
 */
export async function readBody(
  request: RequestBody,
  options: BodyBounds & { readonly beforeReading: () => void } & Partial<BodyLayout>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { beforeReading, alignAt = 0, isTransient = false } = options;
  const { mostBytes, error } = limitOf(options);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a content-encoding.');
  }
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw error();
  beforeReading();
  const received: Uint8Array<ArrayBuffer>[] = [];
  await receive(request, options, received);
  // The listeners outlive the body, and with them what they hold: chunks, or a promise of chunks.
  const chunks = received.splice(0);
  const [first] = chunks;
  return isTransient && chunks.length === 1 && first !== undefined ? first : alignedBody(chunks, alignAt);
}

function receive(request: RequestBody, bounds: BodyBounds, received: Uint8Array<ArrayBuffer>[]): Promise<void> {
  const { timeoutMs, inbound } = bounds;
  const { mostBytes, error } = limitOf(bounds);
  return new Promise((resolve, reject) => {
    let length = 0;
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
    // The listeners stay on the request, which costs less than to remove them.
    const settle = (end: () => void) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      inbound.release(length);
      end();
    };
    const ended = () => settle(resolve);
    const refuse = (problem: AppError) =>
      settle(() => {
        received.length = 0;
        reject(problem);
      });
    const cutOff = () => refuse(new AppError('MALFORMED_REQUEST', 'The body ended early.'));
    const take = (chunk: Uint8Array<ArrayBuffer>) => {
      if (isSettled) return;
      if (length + chunk.length > mostBytes) refuse(error());
      else if (!inbound.take(chunk.length)) refuse(dropError('memory-full'));
      else {
        length += chunk.length;
        received.push(chunk);
      }
    };
    request.on('data', take).on('end', ended).on('error', cutOff).on('close', cutOff);
  });
}

/** A copy: Node's buffers may be slices of a shared pool, and the body moves to a replica. */
export function alignedBody(chunks: readonly Uint8Array[], alignAt: number): Uint8Array<ArrayBuffer> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const offset = alignAt < length ? -alignAt & (RAW_ALIGNMENT_BYTES - 1) : 0;
  const body = new Uint8Array(offset + length).subarray(offset);
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

function tooLarge(maxBodyBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `The body is larger than the limit of ${maxBodyBytes} bytes.`, {
    details: { maxBodyBytes },
  });
}
