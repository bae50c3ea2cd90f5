/**
 * Prepares a message for decoding. The decoded message can take far more memory: a one-byte integer may become an
 * object. Its size is estimated from the encoded fields (weights measured on Node 20). Too large messages are refused.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { RAW_ALIGNMENT_BYTES } from '../rest/rest-body.js';
import { countVarints, type WireField, type WireRange, walkFields, wireTypes } from './wire-walk.js';

/** Maximum ratio of decoded memory to `maxBytes`. */
const MOST_EXPANSION = 8;

/** Approximate bytes of memory per decoded part. */
const weightBytes = { number: 11, bigint: 32, bytes: 110, parameter: 200, entry: 200, contents: 400 } as const;

/**
 * Limits on the parts of a request. Decoding takes an estimated 20 µs per parameter, 5 µs per tensor and 0.2 µs per
 * element. `tensors` are inputs, requested outputs and raw contents. Raw tensors have no elements.
 */
export const MOST_GRPC_WORK = { tensors: 4096, parameters: 4096, elements: 1_048_576 } as const;

/** Field numbers. Those of requests and answers differ only for raw contents. The first three are texts. */
const messageFields = { lastText: 3, parameters: 4, tensors: 5, rawOfRequest: 7, rawOfResponse: 6 } as const;
const tensorFields = { shape: 3, parameters: 4, contents: 5 } as const;
const contentsFields = { int64: 3, uint64: 5, fp32: 6, fp64: 7, bytes: 8 } as const;

export interface MessageBounds {
  readonly kind: 'request' | 'response';
  readonly maxBytes: number;
}

/** Copies a message. Throws BODY_TOO_LARGE if bytes, decoded memory or (for requests) decoding work exceed a limit. */
export function ownedMessage(bytes: Uint8Array, { kind, maxBytes }: MessageBounds): Uint8Array<ArrayBuffer> {
  if (bytes.length > maxBytes) throw tooLarge(`The message is larger than the limit of ${maxBytes} bytes.`, maxBytes);
  const rawField = kind === 'request' ? messageFields.rawOfRequest : messageFields.rawOfResponse;
  const budget = new Budget(kind, maxBytes);
  let firstRawAt: number | undefined;
  walkFields({ bytes, start: 0, end: bytes.length }, (field) => {
    if (field.number === rawField) {
      firstRawAt ??= field.start;
      budget.take('tensors', 1, weightBytes.bytes);
    } else takeField(budget, bytes, field);
  });
  return copied(bytes, firstRawAt ?? 0);
}

/** True if a request has more than `most` bytes outside its raw contents. Such bytes make decoding slow. */
export function hasLargeParts(bytes: Uint8Array, most: number): boolean {
  let counted = 0;
  let at = 0;
  walkFields({ bytes, start: 0, end: bytes.length }, ({ number, start, end }) => {
    counted += (number === messageFields.rawOfRequest ? start : end) - at;
    at = end;
    return counted <= most;
  });
  return counted > most;
}

/** Sums memory and work of decoding; throws at the first excess. */
class Budget {
  readonly #kind: MessageBounds['kind'];
  readonly #maxBytes: number;
  readonly #counts = { tensors: 0, parameters: 0, elements: 0 };
  #bytes = 0;

  constructor(kind: MessageBounds['kind'], maxBytes: number) {
    this.#kind = kind;
    this.#maxBytes = maxBytes;
  }

  take(kind: keyof typeof MOST_GRPC_WORK, count: number, bytes: number): void {
    this.#counts[kind] += count;
    if (this.#kind === 'request' && this.#counts[kind] > MOST_GRPC_WORK[kind]) {
      const message = `The message has more than ${MOST_GRPC_WORK[kind]} ${kind}; send large tensors as raw_input_contents.`;
      throw new AppError('BODY_TOO_LARGE', message, { details: { limit: kind, most: MOST_GRPC_WORK[kind] } });
    }
    this.#bytes += bytes;
    const most = this.#maxBytes * MOST_EXPANSION;
    if (this.#bytes <= most) return;
    const sent = this.#kind === 'request' ? 'send them as raw_input_contents' : 'answer with raw_output_contents';
    throw tooLarge(
      `The contents of the message would take more than ${most} bytes of memory; ${sent}.`,
      this.#maxBytes,
    );
  }
}

function takeField(budget: Budget, bytes: Uint8Array, field: WireField): void {
  if (field.number === messageFields.parameters) budget.take('parameters', 1, weightBytes.parameter);
  else if (field.wireType !== wireTypes.bytes || field.number <= messageFields.lastText) budget.take('elements', 1, 0);
  else {
    budget.take('tensors', 1, weightBytes.entry);
    walkFields({ bytes, ...field }, (part) => {
      if (field.number === messageFields.tensors) takeInTensor(budget, bytes, part);
      else budget.take('parameters', 1, weightBytes.parameter);
    });
  }
}

function takeInTensor(budget: Budget, bytes: Uint8Array, part: WireField): void {
  switch (part.number) {
    case tensorFields.shape: {
      const count = elementsOf({ bytes, ...part }, part.wireType);
      budget.take('elements', count, count * weightBytes.bigint);
      break;
    }
    case tensorFields.parameters:
      budget.take('parameters', 1, weightBytes.parameter);
      break;
    case tensorFields.contents:
      budget.take('elements', 1, weightBytes.contents);
      walkFields({ bytes, ...part }, (contents) => takeContents(budget, { bytes, ...contents }, contents));
      break;
    default:
      budget.take('elements', 1, 0);
  }
}

function takeContents(budget: Budget, range: WireRange, { number, wireType }: WireField): void {
  const count = elementsOfContents(range, number, wireType);
  budget.take('elements', count, count * weightOfElement(number));
}

function elementsOfContents(range: WireRange, number: number, wireType: number): number {
  switch (number) {
    case contentsFields.fp32:
      return (range.end - range.start) / 4;
    case contentsFields.fp64:
      return (range.end - range.start) / 8;
    case contentsFields.bytes:
      return 1;
    default:
      return elementsOf(range, wireType);
  }
}

function weightOfElement(number: number): number {
  switch (number) {
    case contentsFields.int64:
    case contentsFields.uint64:
      return weightBytes.bigint;
    case contentsFields.bytes:
      return weightBytes.bytes;
    default:
      return weightBytes.number;
  }
}

function elementsOf(range: WireRange, wireType: number): number {
  return wireType === wireTypes.bytes ? countVarints(range) : 1;
}

/**
 * Small messages share slabs, because allocating memory takes longer than copying them. A kept message keeps its slab, so
 * slabs are small. Node's pool is too large: 64 KiB in Node 24.
 */
const SLAB_BYTES = 8192;
const MOST_SHARED_BYTES = SLAB_BYTES / 2;
let slab = newSlab();
let slabUsed = 0;

function newSlab(): ArrayBuffer {
  const buffer = new ArrayBuffer(SLAB_BYTES);
  // A transfer would take the memory of other messages.
  markAsUntransferable(buffer);
  return buffer;
}

function copied(bytes: Uint8Array, alignAt: number): Uint8Array<ArrayBuffer> {
  const offset = -alignAt & (RAW_ALIGNMENT_BYTES - 1);
  const copy = allocated(offset + bytes.length).subarray(offset);
  copy.set(bytes);
  return copy;
}

function allocated(length: number): Uint8Array<ArrayBuffer> {
  if (length > MOST_SHARED_BYTES) return new Uint8Array(length);
  if (slabUsed + length > SLAB_BYTES) {
    slab = newSlab();
    slabUsed = 0;
  }
  const memory = new Uint8Array(slab, slabUsed, length);
  slabUsed += Math.ceil(length / RAW_ALIGNMENT_BYTES) * RAW_ALIGNMENT_BYTES;
  return memory;
}

function tooLarge(message: string, maxBodyBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', message, { details: { maxBodyBytes } });
}
