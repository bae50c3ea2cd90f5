/** A write that the server refused, as an error that is tried again. */
import { AppError } from '@equipoise/core/model';
import type { Refused } from '../api/kube-api.js';

/** AppError CLUSTER_REFUSED about `what`. */
export function refusal(what: string, { reason, message }: Refused): AppError {
  return new AppError('CLUSTER_REFUSED', `${what}: ${reason}: ${message}`, { retryable: true });
}
