/**
 * REST body with the binary tensor extension. After the JSON come, in entry order, the raw bytes of each tensor whose
 * entry states `binary_data_size`. A header gives the length of the JSON. Without it, all is JSON.
 */
import { AppError, boundedName } from '@equipoise/core/model';
import { checkJsonWork } from '../json/json-work.js';
import { parseExactJson, parseJson } from '../json/parse-json.js';

/** Header that gives the length of the JSON in bytes. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

export const BINARY_MEDIA_TYPE = 'application/octet-stream';

/** Alignment of the first raw tensor in bytes, so that readers can use views. */
export const RAW_ALIGNMENT_BYTES = 8;

/** Message: JSON, then raw tensors if any. */
export interface RestMessage {
  readonly json: string;
  readonly raw: readonly Uint8Array[];
}

/** Received body. Raw tensors must be taken in order. */
export interface ReceivedBody {
  readonly value: unknown;
  /** Parses the JSON again, with long integers as strings; undefined if it has none. */
  readonly exactValue: () => unknown;
  readonly raw: RawSection;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** Length of the JSON; undefined without the header. Throws MALFORMED_REQUEST if the header is not an integer ≥ 0. */
export function readJsonLength(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const length = /^\d{1,15}$/.test(header) ? Number(header) : undefined;
  if (length !== undefined) return length;
  throw new AppError(
    'MALFORMED_REQUEST',
    'The header Inference-Header-Content-Length must be an integer of at least 0.',
  );
}

/**
 * Splits and parses a body. Throws MALFORMED_REQUEST if the body is too short or the JSON invalid. With `maxJsonBytes`
 * (servers), it throws BODY_TOO_LARGE if parsing would take too long.
 */
export function readRestBody(bytes: Uint8Array, jsonLength: number | undefined, maxJsonBytes?: number): ReceivedBody {
  if (jsonLength === undefined) return received(bytes, NOTHING, maxJsonBytes);
  if (jsonLength > bytes.length) {
    throw new AppError(
      'MALFORMED_REQUEST',
      `The header Inference-Header-Content-Length states ${jsonLength} bytes of JSON, the body has ${bytes.length} in all.`,
    );
  }
  return received(bytes.subarray(0, jsonLength), bytes.subarray(jsonLength), maxJsonBytes);
}

function received(json: Uint8Array, raw: Uint8Array, maxJsonBytes: number | undefined): ReceivedBody {
  if (maxJsonBytes !== undefined) checkJsonWork(json, maxJsonBytes);
  const value = parseJson(json);
  let exact: { readonly value: unknown } | undefined;
  const exactValue = () => {
    exact ??= { value: parseExactJson(json) };
    return exact.value;
  };
  return { value, exactValue, raw: new RawSection(raw) };
}

/** Joins JSON and raw tensors. Spaces after the JSON align the first raw tensor. */
export function restMessage(json: string, raw: readonly Uint8Array[]): RestMessage {
  if (raw.length === 0) return { json, raw };
  return { json: json + ' '.repeat(paddingOf(encoder.encode(json).length)), raw };
}

/** Number of spaces after the JSON that align the first raw tensor. */
export function paddingOf(jsonBytes: number): number {
  return -jsonBytes & (RAW_ALIGNMENT_BYTES - 1);
}

export class RawSection {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes the next raw tensor as a view; throws MALFORMED_REQUEST if `size` is invalid or too large. */
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

  /** Throws MALFORMED_REQUEST if bytes are left. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left === 0) return;
    throw new AppError('MALFORMED_REQUEST', `${left} bytes at the end of the body belong to no tensor.`);
  }
}

function malformed(tensor: string, problem: string): AppError {
  return new AppError('MALFORMED_REQUEST', `Tensor ${tensor}: ${problem}.`, { details: { tensor } });
}
