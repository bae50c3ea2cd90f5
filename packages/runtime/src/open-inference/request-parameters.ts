/** The parameters that a request may bring, from a JSON object or a query: how long it may take and how urgent it is. */
import { AppError } from '@equipoise/core';

const LONGEST_TIMEOUT_MS = 3_600_000;

/** Checked parameters; undefined is the default of the pipeline. */
export interface RequestParameters {
  readonly timeoutMs: number | undefined;
}

/** Reads `timeout_ms` and `priority`; AppError MALFORMED_REQUEST when one is no such number. The priority is not used yet. */
export function readParameters(fields: Readonly<Record<string, unknown>>): RequestParameters {
  const { timeout_ms: timeoutMs, priority } = fields;
  if (priority !== undefined && !Number.isSafeInteger(priority)) {
    throw new AppError('MALFORMED_REQUEST', 'The parameter priority must be an integer.');
  }
  if (timeoutMs === undefined) return { timeoutMs: undefined };
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS) return { timeoutMs };
  throw new AppError(
    'MALFORMED_REQUEST',
    `The parameter timeout_ms must be a number of milliseconds above 0 and at most ${LONGEST_TIMEOUT_MS}.`,
  );
}

/** The same from the query of a URL. */
export function readQueryParameters(query: URLSearchParams): RequestParameters {
  const fields: Record<string, unknown> = {};
  for (const name of ['timeout_ms', 'priority']) {
    const text = query.get(name);
    if (text !== null) fields[name] = text.trim() === '' ? Number.NaN : Number(text);
  }
  return readParameters(fields);
}
