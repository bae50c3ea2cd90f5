/**
 * Traces of a pipeline. Every request is recorded; at its end the sampler decides whether its trace is kept. Kept traces
 * go to the listeners (exporter) and, like the slowest requests, to the list of the admin port.
 */
import type { Rng, StageId } from '@equipoise/core/model';
import { type RequestSpan, RequestTrace, type TraceCause, TraceSampler } from '@equipoise/core/serve';
import { KeptRequests, type RequestSample, type SampleSpan } from './kept-requests.js';
import type { TraceParent } from './trace-context.js';
import { newSpanId, newTraceId } from './trace-ids.js';

export interface TracerOptions {
  readonly sampling: ConstructorParameters<typeof TraceSampler>[0];
  readonly rng: Rng;
  /** Current time (ms since 1970). */
  readonly epochMs: () => number;
}

/** End of a request, on the clock of its pipeline. `reason` of a drop, `code` of a failure. */
export interface TracedEnd {
  readonly kind: 'completed' | 'dropped' | 'failed';
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number;
  readonly reason?: string;
  readonly code?: string;
}

/** A traced request in flight. Most are not kept, so ids are made when they are first needed. */
export class TracedRequest extends RequestTrace {
  readonly parent: TraceParent | undefined;
  /** Cause at the start. */
  readonly head: TraceCause | undefined;
  #traceId: string | undefined;
  #spanId: string | undefined;

  constructor(parent: TraceParent | undefined, head: TraceCause | undefined) {
    super();
    this.parent = parent;
    this.head = head;
    this.#traceId = parent?.traceId;
  }

  get traceId(): string {
    this.#traceId ??= newTraceId();
    return this.#traceId;
  }

  /** Id of the span of the whole request. */
  get spanId(): string {
    this.#spanId ??= newSpanId();
    return this.#spanId;
  }
}

/** A kept trace, for an exporter. */
export interface KeptTrace {
  readonly request: TracedRequest;
  readonly cause: TraceCause;
  readonly end: TracedEnd;
  readonly endedEpochMs: number;
  readonly spans: readonly RequestSpan[];
}

/** A request that ended, whether its trace is kept or not. */
export type EndedRequest = Pick<KeptTrace, 'request' | 'end' | 'endedEpochMs'>;

export class RequestTracer {
  readonly fraction: number;
  /** Spans that an exporter has sent, or dropped by reason. */
  readonly spanCounts = { exported: 0, queueFull: 0, refused: 0, unreachable: 0 };
  readonly #options: TracerOptions;
  readonly #sampler: TraceSampler;
  readonly #requests = new KeptRequests();
  readonly #listeners: ((kept: KeptTrace) => void)[] = [];
  #onEnded: ((ended: EndedRequest) => void) | undefined;
  #stageIds: readonly StageId[] = [];

  constructor(options: TracerOptions) {
    this.#options = options;
    this.fraction = options.sampling.fraction;
    this.#sampler = new TraceSampler(options.sampling, options.rng);
  }

  /** Ids of the stages, by index in the pipeline. */
  setStages(ids: readonly StageId[]): void {
    this.#stageIds = ids;
  }

  onKept(listener: (kept: KeptTrace) => void): void {
    this.#listeners.push(listener);
  }

  /** Sets the listener that receives every request at its end. */
  onEnded(listener: (ended: EndedRequest) => void): void {
    this.#onEnded = listener;
  }

  begin(parent: TraceParent | undefined, nowMs: number): TracedRequest {
    return new TracedRequest(parent, this.#sampler.begin(parent?.isSampled, nowMs));
  }

  /** Returns true if the trace is kept. */
  end(request: TracedRequest, end: TracedEnd, isSlow: boolean): boolean {
    const { endedAtMs, latencyMs } = end;
    this.#onEnded?.({ request, end, endedEpochMs: this.#options.epochMs() });
    const cause = request.head ?? this.#sampler.end(gradeOf(end, isSlow), endedAtMs);
    const isAmongSlowest = this.#requests.isSlow(latencyMs, endedAtMs);
    if (cause === undefined && !isAmongSlowest) return false;
    const spans = request.spans(endedAtMs);
    const endedEpochMs = this.#options.epochMs();
    const sample = this.#sampleOf(request, { end, cause, spans, endedEpochMs });
    if (isAmongSlowest) this.#requests.keepSlow(sample, endedAtMs);
    if (cause === undefined) return false;
    this.#requests.keep(sample);
    for (const listener of this.#listeners) listener({ request, cause, end, endedEpochMs, spans });
    return true;
  }

  newest(limit: number): readonly RequestSample[] {
    return this.#requests.newest(limit);
  }

  slowest(limit: number, nowMs: number): readonly RequestSample[] {
    return this.#requests.slowest(limit, nowMs);
  }

  /** Forgets all requests, such as those of the warm-up. */
  clear(): void {
    this.#requests.clear();
  }

  #sampleOf(
    request: TracedRequest,
    {
      end,
      cause,
      spans,
      endedEpochMs,
    }: Pick<KeptTrace, 'end' | 'spans' | 'endedEpochMs'> & { cause: TraceCause | undefined },
  ): RequestSample {
    const reason = end.reason ?? end.code;
    const { omitted } = request;
    return {
      traceId: request.traceId,
      startedEpochMs: rounded(endedEpochMs - end.latencyMs),
      latencyMs: rounded(end.latencyMs),
      outcome: end.kind,
      ...(reason !== undefined && { reason }),
      ...(cause !== undefined && { cause }),
      spans: spans.map((span) => this.#spanOf(span, end.arrivedAtMs)),
      ...(omitted > 0 && { omittedVisits: omitted }),
    };
  }

  #spanOf({ stage, kind, startMs, endMs, run, isFailed }: RequestSpan, sinceMs: number): SampleSpan {
    const { variantId, replicaId, size } = run ?? {};
    return {
      stageId: this.#stageIds[stage] ?? '',
      ...(variantId !== undefined && { variantId }),
      ...(replicaId !== undefined && { replicaId }),
      kind,
      startMs: rounded(startMs - sinceMs),
      endMs: rounded(endMs - sinceMs),
      ...(size !== undefined && { batchSize: size }),
      ...(isFailed && { failed: true as const }),
    };
  }
}

/** Cancelled requests are neither slow nor failed: their clients went away. */
function gradeOf(end: TracedEnd, isSlow: boolean): 'failed' | 'slow' | 'good' {
  if (end.kind === 'completed') return isSlow ? 'slow' : 'good';
  return end.kind === 'dropped' && end.reason === 'cancelled' ? 'good' : 'failed';
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
