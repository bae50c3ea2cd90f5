/**
 * Refuses client JSON that takes too long to parse: 2 MiB of brackets block all other requests for 0.3 s. The check
 * scans the bytes and stops at the first excess.
 */
import { AppError } from '@equipoise/core/model';

/** Bounds far above the needs of requests. Within them, 2 MiB parse in about 30 ms (estimated). */
export const MOST_JSON_WORK = {
  depth: 64,
  'objects and arrays': 262_144,
  names: 16_384,
  values: 1_048_576,
} as const;

/** Up to this size, any body parses quickly. */
const UNSCANNED_BYTES = 64 * 1024;

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Throws BODY_TOO_LARGE if the JSON exceeds `maxJsonBytes` or, above `UNSCANNED_BYTES`, a bound of MOST_JSON_WORK. The
 * JSON need not be valid.
 */
export function checkJsonWork(json: Uint8Array, maxJsonBytes: number): void {
  if (json.length > maxJsonBytes) throw largeJson(maxJsonBytes);
  if (json.length > UNSCANNED_BYTES) scan(json);
}

function scan(json: Uint8Array): void {
  let depth = 0;
  let containers = 0;
  let names = 0;
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case QUOTE:
        at = endOfString(json, at);
        break;
      case COMMA:
        check('values', ++values);
        break;
      case COLON:
        check('names', ++names);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        check('depth', ++depth);
        check('objects and arrays', ++containers);
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
    }
  }
}

export function largeJson(maxJsonBytes: number): AppError {
  const message = `The JSON of the body is larger than the limit of ${maxJsonBytes} bytes; send large tensors raw.`;
  return new AppError('BODY_TOO_LARGE', message, { details: { maxJsonBytes } });
}

function check(kind: keyof typeof MOST_JSON_WORK, count: number): void {
  const most = MOST_JSON_WORK[kind];
  if (count <= most) return;
  const found = kind === 'depth' ? `nests deeper than ${most}` : `has more than ${most} ${kind}`;
  throw new AppError('BODY_TOO_LARGE', `The JSON of the body ${found}.`, { details: { limit: kind, most } });
}

/** Index of the closing quote, or the end of the JSON. */
function endOfString(json: Uint8Array, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === BACKSLASH) at += 1;
    else if (json[at] === QUOTE) return at;
  }
  return json.length;
}
