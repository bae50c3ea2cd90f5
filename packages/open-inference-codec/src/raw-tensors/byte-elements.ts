/**
 * BYTES elements as bytes and as text. The tensor parameter `content_type` is `str` for UTF-8 text. For bytes it is
 * `application/octet-stream` or (in JSON) `base64`. Without it, elements are text if all are UTF-8.
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

/** Elements as bytes or text. Throws MALFORMED_REQUEST if `contentType` says text but an element is not UTF-8. */
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

/** Content type to state for bytes that readers would take for text; otherwise undefined. */
export function contentTypeOf(data: readonly (string | Uint8Array)[]): string | undefined {
  const bytes = data.filter((element) => typeof element !== 'string');
  return bytes.length > 0 && textsOf(bytes) !== undefined ? OCTETS : undefined;
}

/** Elements as text; undefined if one is not UTF-8. */
export function textsOf(elements: readonly Uint8Array[]): readonly string[] | undefined {
  try {
    return elements.map((element) => decoder.decode(element));
  } catch {
    return undefined;
  }
}
