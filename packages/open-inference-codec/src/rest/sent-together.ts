/**
 * Header of an extension: the number of requests that a client sends together, this one included. A server that would
 * wait for more requests to fill a batch waits for no further ones. Other servers ignore it.
 */
export const SENT_TOGETHER_HEADER = 'equipoise-sent-together';

const MOST_DIGITS = 6;

/** The stated number; undefined if the header is missing or no whole number from 1. */
export function readSentTogether(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): number | undefined {
  const stated = headers[SENT_TOGETHER_HEADER];
  if (typeof stated !== 'string' || stated.length > MOST_DIGITS || !/^[1-9][0-9]*$/.test(stated)) return undefined;
  return Number(stated);
}
