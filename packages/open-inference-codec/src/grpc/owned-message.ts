/**
 * Prepares a message for decoding. Decoded, it can take far more memory: a one-byte integer becomes an object. The
 * memory is estimated from the wire form, with weights measured on Node 20, and refused before decoding. The bytes are
 * copied so that the first raw tensor is aligned, because transports reuse their buffers.
 */
import { AppError } from '@equipoise/core/model';
import { RAW_ALIGNMENT_BYTES } from '../rest/rest-body.js';
import { countVarints, type WireField, type WireRange, walkFields, wireTypes } from './wire-walk.js';

/** Decoded memory ÷ message limit. */
const MOST_EXPANSION = 8;

/** Approximate, per decoded element. */
const weightBytes = { number: 11, bigint: 32, bytes: 110, parameter: 200, entry: 200, contents: 400 } as const;

/** Requests and answers differ only in raw contents. */
const messageFields = { parameters: 4, tensors: 5, rawOfRequest: 7, rawOfResponse: 6 } as const;
const tensorFields = { shape: 3, parameters: 4, contents: 5 } as const;
const contentsFields = { int64: 3, uint64: 5, fp32: 6, fp64: 7, bytes: 8 } as const;

export interface MessageBounds {
  readonly kind: 'request' | 'response';
  readonly maxBytes: number;
}

/** Throws BODY_TOO_LARGE if the message, or its decoded form, is too large. */
export function ownedMessage(bytes: Uint8Array, { kind, maxBytes }: MessageBounds): Uint8Array<ArrayBuffer> {
  if (bytes.length > maxBytes) throw tooLarge(`The message is larger than the limit of ${maxBytes} bytes.`, maxBytes);
  const rawField = kind === 'request' ? messageFields.rawOfRequest : messageFields.rawOfResponse;
  const most = maxBytes * MOST_EXPANSION;
  let weight = 0;
  let firstRawAt: number | undefined;
  walkFields({ bytes, start: 0, end: bytes.length }, (field) => {
    if (field.number === rawField) firstRawAt ??= field.start;
    weight += field.number === rawField ? weightBytes.bytes : weightOfField(bytes, field);
  });
  if (weight > most) {
    const sent = kind === 'request' ? 'send them as raw_input_contents' : 'answer with raw_output_contents';
    throw tooLarge(`The contents of the message would take more than ${most} bytes of memory; ${sent}.`, maxBytes);
  }
  return copied(bytes, firstRawAt ?? 0);
}

function weightOfField(bytes: Uint8Array, field: WireField): number {
  if (field.number === messageFields.parameters) return weightBytes.parameter;
  if (field.wireType !== wireTypes.bytes) return 0;
  let weight: number = weightBytes.entry;
  walkFields({ bytes, ...field }, (part) => {
    weight += field.number === messageFields.tensors ? weightInTensor(bytes, part) : weightBytes.parameter;
  });
  return weight;
}

function weightInTensor(bytes: Uint8Array, part: WireField): number {
  switch (part.number) {
    case tensorFields.shape:
      return elementsOf({ bytes, ...part }, part.wireType) * weightBytes.bigint;
    case tensorFields.parameters:
      return weightBytes.parameter;
    case tensorFields.contents: {
      let weight: number = weightBytes.contents;
      walkFields({ bytes, ...part }, (contents) => {
        weight += weightOfContents({ bytes, ...contents }, contents);
      });
      return weight;
    }
    default:
      return 0;
  }
}

function weightOfContents(range: WireRange, { number, wireType }: WireField): number {
  switch (number) {
    case contentsFields.int64:
    case contentsFields.uint64:
      return elementsOf(range, wireType) * weightBytes.bigint;
    case contentsFields.fp32:
      return ((range.end - range.start) / 4) * weightBytes.number;
    case contentsFields.fp64:
      return ((range.end - range.start) / 8) * weightBytes.number;
    case contentsFields.bytes:
      return weightBytes.bytes;
    default:
      return elementsOf(range, wireType) * weightBytes.number;
  }
}

function elementsOf(range: WireRange, wireType: number): number {
  return wireType === wireTypes.bytes ? countVarints(range) : 1;
}

function copied(bytes: Uint8Array, alignAt: number): Uint8Array<ArrayBuffer> {
  const offset = -alignAt & (RAW_ALIGNMENT_BYTES - 1);
  const copy = new Uint8Array(offset + bytes.length).subarray(offset);
  copy.set(bytes);
  return copy;
}

function tooLarge(message: string, maxBodyBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', message, { details: { maxBodyBytes } });
}
