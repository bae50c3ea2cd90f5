/** End of a request for statistics and listeners, without its tensors. */
import type { DropReason, ErrorCode } from '@equipoise/core/model';
import { mayComeOfPlan } from '@equipoise/core/serve';
import type { PipelineOutcome } from './pending-request.js';

/** Times on the runner's clock. */
export interface RequestTimes {
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  /** Time from admission to the deadline. */
  readonly leftMs: number;
}

/** `keptTraceId` is present if the trace of the request was kept. */
export type RequestEnd = RequestTimes & { readonly latencyMs: number; readonly keptTraceId?: string } & (
    | { readonly kind: 'completed' }
    | { readonly kind: 'dropped'; readonly reason: DropReason }
    | { readonly kind: 'failed'; readonly code: ErrorCode; readonly mayComeOfPlan: boolean }
  );

export function requestEnd(outcome: PipelineOutcome, { arrivedAtMs, endedAtMs, leftMs }: RequestTimes): RequestEnd {
  const latencyMs = endedAtMs - arrivedAtMs;
  switch (outcome.kind) {
    case 'completed':
      return { kind: 'completed', arrivedAtMs, endedAtMs, leftMs, latencyMs };
    case 'dropped':
      return { kind: 'dropped', reason: outcome.reason, arrivedAtMs, endedAtMs, leftMs, latencyMs };
    case 'failed':
      return {
        kind: 'failed',
        code: outcome.failure.code,
        mayComeOfPlan: mayComeOfPlan(outcome.failure),
        arrivedAtMs,
        endedAtMs,
        leftMs,
        latencyMs,
      };
  }
}
