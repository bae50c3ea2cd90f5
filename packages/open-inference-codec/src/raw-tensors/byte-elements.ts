/**
 * BYTES elements as bytes and as text. By the tensor parameter `content_type`, `str` is UTF-8 text,
 * `application/octet-stream` and (in JSON) `base64` are bytes. Without it, elements that are all valid UTF-8 become
 * strings.
 */
import { AppError, boundedName } from '@equipoise/core/model';

export const CONTENT_TYPE = 'content_type';
const TEXT = 'str';
const OCTETS = 'application/octet-stream';
export const BASE64 = 'base64';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function byteStrings(data: readonly (string | Uint8Array)[]): readonly Uint8Array[] {
  return data.map((element) => (typeof element === 'string' ? encoder.encode(element) : element));
}

/** Throws MALFORMED_REQUEST if stated text is not UTF-8. */
export function byteElements(
  name: string,
  elements: readonly Uint8Array[],
  contentType: string | undefined,
): readonly string[] | readonly Uint8Array[] {
  if (contentType === OCTETS) return elements;
  const texts = textsOf(elements);
  if (texts !== undefined) return texts;
  if (contentType !== TEXT) return elements;
  throw new AppError('MALFORMED_REQUEST', `Tensor ${boundedName(name)} is stated to be text, but it is not UTF-8.`, {
    details: { tensor: boundedName(name) },
  });
}

/** Needed so that a reader does not take bytes for text. */
export function contentTypeOf(data: readonly (string | Uint8Array)[]): string | undefined {
  const bytes = data.filter((element) => typeof element !== 'string');
  return bytes.length > 0 && textsOf(bytes) !== undefined ? OCTETS : undefined;
}

/** Undefined if an element is not UTF-8. */
export function textsOf(elements: readonly Uint8Array[]): readonly string[] | undefined {
  try {
    return elements.map((element) => decoder.decode(element));
  } catch {
    return undefined;
  }
}
