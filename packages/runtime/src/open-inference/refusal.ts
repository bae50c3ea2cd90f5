/** How a failure is told over HTTP: the status and the headers follow from the code, the body is the protocol's `{error}` and more. */
import { AppError, boundedMessage, type DropReason, errorCodes } from '@equipoise/core/model';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import type { Answer } from './answer.js';

/** The least that Retry-After says, in seconds, and the most: predictions of a wait are none of the time after it. */
const RETRY_AFTER_SECONDS = { least: 1, most: 30 };
/** When to come again where nothing is predicted: a start and a full memory pass. */
const UNPREDICTED_WAIT_MS = 1000;

const dropMessages: Readonly<Record<DropReason, string>> = {
  'queue-full': 'Too many requests wait already.',
  'memory-full': 'The requests in flight hold as much memory as they may.',
  'deadline-unreachable': 'The request could not have been answered by its deadline and was dropped early.',
  'deadline-passed': 'The deadline of the request passed before it was answered.',
  'no-ready-replica': 'A stage of the pipeline has no replica in service.',
  draining: 'The server is shutting down.',
  cancelled: 'The client went away.',
};

/** The answer to a request that ended with an error; what is no AppError is a defect and tells the client nothing. */
export function refusal(error: unknown): Answer {
  if (!(error instanceof AppError))
    return refusal(new AppError('INTERNAL_ERROR', 'The server failed on this request.'));
  const { code, message, details } = error;
  const { httpStatus } = errorCodes[code];
  const reason = details['reason'] ?? (code === 'REPLICA_LOST' ? 'replica-lost' : undefined);
  const body = {
    error: boundedMessage(message),
    code,
    ...(reason !== undefined && { reason }),
    details,
    docs: `docs/reference/errors.md#${code.toLowerCase()}`,
  };
  return { status: httpStatus, headers: refusalHeaders(error, httpStatus), text: JSON.stringify(body) };
}

/** The error that stands for a request that was dropped; `retryAfterMs` is when it may fare better. */
export function dropError(reason: DropReason, retryAfterMs = UNPREDICTED_WAIT_MS): AppError {
  const code = reason === 'deadline-passed' ? 'DEADLINE_PASSED' : 'DROPPED';
  return new AppError(code, dropMessages[reason], {
    details: { reason, retryAfterMs: Math.round(retryAfterMs) },
    retryable: true,
  });
}

/** The tensors of a completed request and what is missing of them; throws the AppError of any other end. */
export function completedOutput(outcome: PipelineOutcome) {
  switch (outcome.kind) {
    case 'completed':
      return { output: outcome.output, missing: outcome.missing };
    case 'dropped':
      throw dropError(outcome.reason, outcome.retryAfterMs);
    case 'failed':
      throw outcome.failure;
  }
}

function refusalHeaders({ details }: AppError, status: number): Readonly<Record<string, string>> {
  if (status === 503 || status === 429) return { 'retry-after': String(retryAfterSeconds(details['retryAfterMs'])) };
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  const allow = details['allow'];
  return status === 405 && Array.isArray(allow) ? { allow: allow.join(', ') } : {};
}

function retryAfterSeconds(retryAfterMs: unknown): number {
  const { least, most } = RETRY_AFTER_SECONDS;
  const seconds = typeof retryAfterMs === 'number' ? Math.ceil(retryAfterMs / 1000) : least;
  return Math.min(Math.max(seconds, least), most);
}
