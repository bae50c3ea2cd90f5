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

/** A request that ended, with its trace. `cause` is undefined if the trace is not kept. */
interface EndedTrace {
  readonly request: TracedRequest;
  readonly cause: TraceCause | undefined;
  readonly end: TracedEnd;
  readonly endedEpochMs: number;
  readonly spans: readonly RequestSpan[];
}

/** A kept trace, for an exporter. */
export interface KeptTrace extends EndedTrace {
  readonly cause: TraceCause;
}

/** A request that ended, whether its trace is kept or not. */
export type EndedRequest = Pick<KeptTrace, 'request' | 'end' | 'endedEpochMs'>;

export class RequestTracer {
  readonly fraction: number;
  /** Spans that an exporter has sent, or dropped by reason. */
  readonly spanCounts = { exported: 0, queueFull: 0, refused: 0, unreachable: 0 };
  readonly #options: TracerOptions;
  readonly #sampler: TraceSampler;
  readonly #requests = new KeptRequests<EndedTrace>();
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
    const endedEpochMs = this.#options.epochMs();
    const trace: EndedTrace = { request, cause, end, endedEpochMs, spans: request.spans(endedAtMs) };
    if (isAmongSlowest) this.#requests.keepSlow(trace, endedAtMs);
    if (!isKept(trace)) return false;
    this.#requests.keep(trace);
    for (const listener of this.#listeners) listener(trace);
    return true;
  }

  newest(limit: number): readonly RequestSample[] {
    return this.#requests.newest(limit).map((trace) => this.#sampleOf(trace));
  }

  slowest(limit: number, nowMs: number): readonly RequestSample[] {
    return this.#requests.slowest(limit, nowMs).map((trace) => this.#sampleOf(trace));
  }

  /** Forgets all requests, such as those of the warm-up. */
  clear(): void {
    this.#requests.clear();
  }

  /** Made for a reader, because most samples are replaced unread. */
  #sampleOf({ request, cause, end, endedEpochMs, spans }: EndedTrace): RequestSample {
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

function isKept(trace: EndedTrace): trace is KeptTrace {
  return trace.cause !== undefined;
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
