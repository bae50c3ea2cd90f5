/** The `Status` object with which the API server says why it did not do something, as a value or as an AppError. */
import { AppError } from '@equipoise/core/model';
import type { RefusalCause, Refused } from '../kube-api.js';
import type { KubeAnswer } from './kube-requests.js';

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly causes?: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[];
  };
}

const REFUSALS: Readonly<Record<number, Refused['reason']>> = { 404: 'not-found', 409: 'conflict', 422: 'invalid' };

/** The refusal that an answer to a write is; rejects where it is of another kind. */
export function refusalOf(answer: KubeAnswer): Refused {
  const reason = REFUSALS[answer.status];
  if (reason === undefined) throw failureOf(answer);
  const status = statusOf(answer.body);
  return {
    kind: 'refused',
    reason: status.reason === 'AlreadyExists' ? 'already-exists' : reason,
    message: status.message ?? `HTTP status ${answer.status}`,
    causes: (status.details?.causes ?? []).map(causeOf),
  };
}

function causeOf({ field, message, reason }: { field?: string; message?: string; reason?: string }): RefusalCause {
  return {
    ...(field !== undefined && { field }),
    message: message ?? '',
    ...(reason !== undefined && { reason }),
  };
}

/** The failure that an answer is: CLUSTER_REFUSED, to be tried again where the server says that it is busy or broken for now. */
export function failureOf({ status, body, retryAfterSeconds }: KubeAnswer): AppError {
  const { message, reason } = statusOf(body);
  return new AppError('CLUSTER_REFUSED', `the API server answered ${status}: ${message ?? 'no reason given'}`, {
    retryable: status === 429 || status >= 500,
    details: {
      httpStatus: status,
      ...(reason !== undefined && { reason }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    },
  });
}

function statusOf(body: unknown): Status {
  return typeof body === 'object' && body !== null ? (body as Status) : {};
}
