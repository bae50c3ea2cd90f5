/** Time limit and priority of a request, from a JSON object or a query. */
import { AppError } from '@equipoise/core/model';

const LONGEST_TIMEOUT_MS = 3_600_000;

/** Parameters of a request; undefined means the default of the pipeline. */
export interface RequestParameters {
  readonly timeoutMs: number | undefined;
  /** 1 is the most urgent; 0 means none. */
  readonly priority: number | undefined;
}

/**
 * Reads `timeout_ms`, `timeout` (µs, as in Triton; the shorter applies) and `priority`; AppError MALFORMED_REQUEST for
 * bad values.
 */
export function readParameters(fields: Readonly<Record<string, unknown>>): RequestParameters {
  const { timeout_ms: timeoutMs, timeout: timeoutUs, priority } = fields;
  if (priority !== undefined && !(Number.isSafeInteger(priority) && Number(priority) >= 0)) {
    throw new AppError('MALFORMED_REQUEST', 'The parameter priority must be an integer from 0: 1 is the most urgent.');
  }
  const inMs = readTimeout('timeout_ms', timeoutMs, { word: 'milliseconds', perMs: 1 });
  const inUs = readTimeout('timeout', timeoutUs, { word: 'microseconds', perMs: 1000 });
  const shorter = inMs === undefined ? inUs : Math.min(inMs, inUs ?? inMs);
  return { timeoutMs: shorter, priority: priority as number | undefined };
}

function readTimeout(name: string, value: unknown, unit: { readonly word: string; readonly perMs: number }) {
  if (value === undefined) return undefined;
  // Checks the quotient, because division turns the smallest numbers into 0.
  const timeoutMs = typeof value === 'number' ? value / unit.perMs : Number.NaN;
  if (timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS) return timeoutMs;
  throw new AppError(
    'MALFORMED_REQUEST',
    `The parameter ${name} must be a number of ${unit.word} above 0 and at most ${LONGEST_TIMEOUT_MS * unit.perMs}.`,
  );
}

export function readQueryParameters(query: URLSearchParams): RequestParameters {
  const fields: Record<string, unknown> = {};
  for (const name of ['timeout_ms', 'priority']) {
    const text = query.get(name);
    if (text !== null) fields[name] = text.trim() === '' ? Number.NaN : Number(text);
  }
  return readParameters(fields);
}
