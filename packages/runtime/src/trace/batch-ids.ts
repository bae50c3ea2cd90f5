/** Ids of a batch: its own span, or for a batch of one request the span of the run. */
import type { RequestTrace } from '@equipoise/core/serve';
import type { TracedRequest } from './request-tracer.js';
import { newSpanId } from './trace-ids.js';

type BatchRun = RequestTrace['runs'][number];

export interface BatchIds {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined if it is not certain that the parent is kept. */
  readonly parentSpanId: string | undefined;
  readonly isSampled: boolean;
  readonly state: string | undefined;
}

/** Ids of a batch, made at the first call. `lead`: request whose trace the batch joins. */
export function batchIds(run: BatchRun, lead: TracedRequest, isKept = true): BatchIds {
  run.note ??= {
    traceId: lead.traceId,
    spanId: newSpanId(),
    parentSpanId: isKept ? lead.spanId : undefined,
    isSampled: isKept,
    state: lead.parent?.state,
  } satisfies BatchIds;
  return run.note as BatchIds;
}

/** Ids of a batch for the server that runs it. The batch joins the trace of a sampled request, if there is one. */
export function batchIdsToSend(run: BatchRun, requests: readonly TracedRequest[]): BatchIds | undefined {
  const lead = requests.find(({ head }) => head !== undefined) ?? requests[0];
  return lead && batchIds(run, lead, lead.head !== undefined);
}
