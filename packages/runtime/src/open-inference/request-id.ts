/** Ids of requests: that of the client if it is fit to be echoed, a new one otherwise. */
import { randomUUID } from 'node:crypto';

/** The id that a header or metadata give, if it has 1 to 128 visible ASCII characters. */
export function readRequestId(given: unknown): string {
  return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID();
}
