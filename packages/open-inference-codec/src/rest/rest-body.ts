/**
 * The body of a REST message with the binary tensor extension: a JSON object, and behind it the raw bytes of those tensors whose entry
 * states a `binary_data_size`, in the order of the entries. A header tells the length of the JSON; without it there is nothing else.
 */
import { AppError, boundedName } from '@equipoise/core/model';
import { parseExactJson, parseJson } from '../json/parse-json.js';

/** Name of the header that tells the length of the JSON in bytes, lower case. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** Media type of a body with raw tensors. */
export const BINARY_MEDIA_TYPE = 'application/octet-stream';

/** Raw tensors start at a multiple of this, so that their reader can make views of them. */
export const RAW_ALIGNMENT_BYTES = 8;

/** A message to be sent: the JSON, and the raw tensors behind it (none: the JSON is all there is). */
export interface RestMessage {
  readonly json: string;
  readonly raw: readonly Uint8Array[];
}

/** A message received: the value of its JSON, and its raw tensors to be taken one after another. */
export interface ReceivedBody {
  readonly value: unknown;
  /** The JSON again, with long integers as strings; undefined where it has none. Parsed when it is first asked for. */
  readonly exactValue: () => unknown;
  readonly raw: RawSection;
}

const encoder = new TextEncoder();

/** The length that the header states; undefined without a header. AppError MALFORMED_REQUEST unless it is an integer of at least 0. */
export function readJsonLength(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const length = /^\d{1,15}$/.test(header) ? Number(header) : undefined;
  if (length !== undefined) return length;
  throw new AppError(
    'MALFORMED_REQUEST',
    'The header Inference-Header-Content-Length must be an integer of at least 0.',
  );
}

/** Takes a body apart; AppError MALFORMED_REQUEST where it is shorter than its JSON should be, or the JSON is none. */
export function readRestBody(bytes: Uint8Array, jsonLength: number | undefined): ReceivedBody {
  if (jsonLength === undefined) return received(bytes, new Uint8Array(0));
  if (jsonLength > bytes.length) {
    throw new AppError(
      'MALFORMED_REQUEST',
      `The header Inference-Header-Content-Length states ${jsonLength} bytes of JSON, the body has ${bytes.length} in all.`,
    );
  }
  return received(bytes.subarray(0, jsonLength), bytes.subarray(jsonLength));
}

function received(json: Uint8Array, raw: Uint8Array): ReceivedBody {
  const value = parseJson(json);
  let exact: { readonly value: unknown } | undefined;
  const exactValue = () => {
    exact ??= { value: parseExactJson(json) };
    return exact.value;
  };
  return { value, exactValue, raw: new RawSection(raw) };
}

/** A message of these parts; JSON in front of raw tensors is filled up with spaces, so that the tensors are aligned. */
export function restMessage(json: string, raw: readonly Uint8Array[]): RestMessage {
  if (raw.length === 0) return { json, raw };
  const missing = -encoder.encode(json).length & (RAW_ALIGNMENT_BYTES - 1);
  return { json: json + ' '.repeat(missing), raw };
}

/** The raw tensors of a body. */
export class RawSection {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next `size` bytes as a view; AppError MALFORMED_REQUEST when `size` is no length or fewer bytes are left. */
  take(name: string, size: unknown): Uint8Array {
    const tensor = boundedName(name);
    const left = this.#bytes.length - this.#at;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw malformed(tensor, 'binary_data_size must be an integer of at least 0');
    }
    if (size > left) throw malformed(tensor, `binary_data_size is ${size}, but ${left} bytes are left in the body`);
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** AppError MALFORMED_REQUEST when bytes are left that belong to no tensor. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left === 0) return;
    throw new AppError('MALFORMED_REQUEST', `${left} bytes at the end of the body belong to no tensor.`);
  }
}

function malformed(tensor: string, problem: string): AppError {
  return new AppError('MALFORMED_REQUEST', `Tensor ${tensor}: ${problem}.`, { details: { tensor } });
}
