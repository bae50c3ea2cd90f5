/** Sampled requests as rows of bars, and as a Chrome trace. */
export interface RequestSpan {
  readonly stageId: string;
  readonly variantId?: string;
  readonly replicaId?: string;
  readonly kind: 'queue' | 'batch' | 'run' | 'hop';
  readonly startMs: number;
  readonly endMs: number;
}

export interface SampledRequest {
  readonly traceId: string;
  readonly startedEpochMs: number;
  readonly latencyMs: number;
  readonly outcome: string;
  readonly reason?: string;
  readonly cause?: string;
  readonly spans: readonly RequestSpan[];
  /** Visits to stages that have no spans. */
  readonly omittedVisits?: number;
}

export interface RequestsAnswer {
  /** False if the server records no requests; absent in older answers. */
  readonly tracing?: boolean;
  readonly requests: readonly SampledRequest[];
}

/** `name`: unlike a trace id, it is of one request only. */
export interface NamedRequest {
  readonly name: string;
  readonly request: SampledRequest;
}

/** Items of a client batch share a trace, and callers choose the ids of traces. */
export function namedRequests(requests: readonly SampledRequest[]): readonly NamedRequest[] {
  const counts = new Map<string, number>();
  return requests.map((request) => {
    const { traceId, startedEpochMs, latencyMs } = request;
    const name = [traceId, startedEpochMs, latencyMs].join('_');
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return { name: count === 1 ? name : `${name}_${count}`, request };
  });
}

export interface WaterfallRow {
  readonly stageId: string;
  readonly spans: readonly RequestSpan[];
  readonly startMs: number;
  readonly endMs: number;
}

interface OpenRow extends WaterfallRow {
  readonly spans: RequestSpan[];
  endMs: number;
}

/**
 * One row per visit of a stage: the items of a fan-out overlap, so each has its own row. A visit goes on where it
 * stopped; if several could, the one that has not run yet.
 */
export function waterfallRows(spans: readonly RequestSpan[]): readonly WaterfallRow[] {
  const rows: OpenRow[] = [];
  for (const span of [...spans].sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)) {
    const { stageId, startMs, endMs } = span;
    const able = rows.filter((row) => row.stageId === stageId && row.endMs <= startMs + 1e-6);
    const hasRun = (row: OpenRow) => (row.spans.at(-1)?.kind === 'run' ? 1 : 0);
    const [next] = able.sort((a, b) => hasRun(a) - hasRun(b) || b.endMs - a.endMs);
    if (next === undefined) rows.push({ stageId, spans: [span], startMs, endMs });
    else {
      next.spans.push(span);
      next.endMs = Math.max(next.endMs, endMs);
    }
  }
  return rows;
}

/** Milliseconds of each kind of span, over all stages. */
export function timeByKind(spans: readonly RequestSpan[]): Readonly<Record<RequestSpan['kind'], number>> {
  const sums = { queue: 0, batch: 0, run: 0, hop: 0 };
  for (const { kind, startMs, endMs } of spans) sums[kind] += endMs - startMs;
  return sums;
}

const MICROSECONDS = 1000;

/** Trace event format, for chrome://tracing and Perfetto. Each request is a process, each row a thread. */
export function chromeTrace(requests: readonly SampledRequest[]): object {
  const traceEvents = requests.flatMap((request, index) => {
    const pid = index + 1;
    const start = request.startedEpochMs * MICROSECONDS;
    const rows = waterfallRows(request.spans);
    const whole = {
      name: request.outcome,
      cat: 'request',
      ph: 'X',
      ts: start,
      dur: request.latencyMs * MICROSECONDS,
      pid,
      tid: 0,
    };
    return [
      { name: 'process_name', ph: 'M', pid, args: { name: `request ${request.traceId}` } },
      { name: 'thread_name', ph: 'M', pid, tid: 0, args: { name: 'request' } },
      ...rows.map(({ stageId }, row) => ({ name: 'thread_name', ph: 'M', pid, tid: row + 1, args: { name: stageId } })),
      whole,
      ...rows.flatMap(({ spans }, row) =>
        spans.map(({ stageId, kind, startMs, endMs, variantId, replicaId }) => ({
          ...{ name: `${stageId} ${kind}`, cat: kind, ph: 'X', pid, tid: row + 1 },
          ...{
            ts: start + startMs * MICROSECONDS,
            dur: (endMs - startMs) * MICROSECONDS,
            args: { variantId, replicaId },
          },
        })),
      ),
    ];
  });
  return { displayTimeUnit: 'ms', traceEvents };
}
