/**
 * BYTES elements between bytes and text. On the wire both are bytes; the parameter `content_type` of a tensor may say which is meant:
 * `str` is UTF-8 text, `application/octet-stream` bytes, `base64` (in JSON) bytes. Where nothing is said, elements that are all UTF-8
 * are text, so that text written by any client reaches a stage as strings.
 */
import { AppError, boundedName } from '@equipoise/core/model';

/** The name of the tensor parameter, and its values. */
export const CONTENT_TYPE = 'content_type';
const TEXT = 'str';
const OCTETS = 'application/octet-stream';
export const BASE64 = 'base64';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Elements as bytes; bytes stay what they are. */
export function byteStrings(data: readonly (string | Uint8Array)[]): readonly Uint8Array[] {
  return data.map((element) => (typeof element === 'string' ? encoder.encode(element) : element));
}

/** Elements of the wire as a stage gets them; AppError MALFORMED_REQUEST where text was stated and is none. */
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

/** The content type that has to be stated so that a reader does not take bytes for text; undefined where none is needed. */
export function contentTypeOf(data: readonly (string | Uint8Array)[]): string | undefined {
  const bytes = data.filter((element) => typeof element !== 'string');
  return bytes.length > 0 && textsOf(bytes) !== undefined ? OCTETS : undefined;
}

/** The elements as text, or undefined if one is no UTF-8. */
export function textsOf(elements: readonly Uint8Array[]): readonly string[] | undefined {
  try {
    return elements.map((element) => decoder.decode(element));
  } catch {
    return undefined;
  }
}
