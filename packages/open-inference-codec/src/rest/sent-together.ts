import { AppError } from '@equipoise/core/model';

/**
 * Header of an extension: the number of requests that a client sends together, this one included. A server that would
 * wait for more requests to fill a batch waits for no further ones. Other servers ignore it.
 */
export const SENT_TOGETHER_HEADER = 'equipoise-sent-together';

export const MOST_SENT_TOGETHER = 999_999;

/** The stated number; undefined without the header. Throws MALFORMED_REQUEST for a number out of bounds, or for several. */
export function readSentTogether(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): number | undefined {
  const stated = headers[SENT_TOGETHER_HEADER];
  if (stated === undefined) return undefined;
  const number = typeof stated === 'string' && /^[1-9][0-9]*$/.test(stated) ? Number(stated) : Number.NaN;
  if (number <= MOST_SENT_TOGETHER) return number;
  throw new AppError(
    'MALFORMED_REQUEST',
    `The header Equipoise-Sent-Together must be an integer from 1 to ${MOST_SENT_TOGETHER}.`,
  );
}
