/**
 * Kept traces as OTLP messages. A request is a server span; its waits, hops and runs are children. A batch of several
 * requests is a span of its own. The runs of its kept requests and the batch link to each other.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { RequestSpan } from '@equipoise/core/serve';
import { type BatchIds, batchIds } from '../batch-ids.js';
import type { KeptTrace } from '../request-tracer.js';
import { newSpanId } from '../trace-ids.js';
import {
  ExportTraceServiceRequestSchema,
  type KeyValue,
  KeyValueSchema,
  ResourceSpansSchema,
  type Span,
  Span_LinkSchema,
  SpanSchema,
} from './otlp-trace.gen.js';

export interface SpanFacts {
  readonly pipeline: string;
  readonly stageIds: readonly string[];
}

/** Attributes of the process, such as `service.name`. */
export type Resource = Readonly<Record<string, string>>;

const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
const StatusCode = { ERROR: 2 } as const;

type Attribute = string | number | boolean | undefined;

/** Sampled (bit 0), and whether the parent is of another process is known (bit 8) and true (bit 9). */
const SAMPLED = 0x01;
const KNOWN_LOCAL = 0x100;
const REMOTE = 0x200;

/** Spans of a kept trace, the server span first. `onBatch` receives each run in a batch of several requests. */
export function spansOf(
  kept: KeptTrace,
  facts: SpanFacts,
  onBatch: (batch: BatchSpan, run: Span) => void,
): readonly Span[] {
  const root = serverSpan(kept, facts);
  const children = kept.spans.map((span) => {
    const { run, kind } = span;
    const stageId = facts.stageIds[span.stage] ?? '';
    const child = childSpan(span, { kept, root, stageId });
    if (kind !== 'run' || run === undefined) return child;
    const ids = batchIds(run, kept.request);
    if (run.size === 1) child.spanId = bytesOf(ids.spanId);
    else {
      child.links.push(create(Span_LinkSchema, { ...idsOf(ids), flags: SAMPLED }));
      const endedAtMs = Number.isNaN(run.endedAtMs) ? span.endMs : run.endedAtMs;
      const times = { startNanos: nanosOf(kept, run.startedAtMs), endNanos: nanosOf(kept, endedAtMs) };
      onBatch({ ...times, ids, stageId, size: run.size, variantId: run.variantId, replicaId: run.replicaId }, child);
    }
    return child;
  });
  return [root, ...children];
}

function serverSpan(kept: KeptTrace, { pipeline }: SpanFacts): Span {
  const { request, end, cause } = kept;
  const { parent } = request;
  const problem = end.reason ?? end.code;
  return create(SpanSchema, {
    ...idsOf(request),
    traceState: parent?.state ?? '',
    ...(parent && { parentSpanId: bytesOf(parent.spanId) }),
    flags: SAMPLED | KNOWN_LOCAL | (parent ? REMOTE : 0),
    name: pipeline,
    kind: SpanKind.SERVER,
    startTimeUnixNano: nanosOf(kept, end.arrivedAtMs),
    endTimeUnixNano: nanosOf(kept, end.endedAtMs),
    attributes: attributes({
      'equipoise.pipeline': pipeline,
      'equipoise.outcome': end.kind,
      'error.type': problem,
      'equipoise.sampled_because': cause,
    }),
    ...(problem !== undefined && { status: { code: StatusCode.ERROR, message: problem } }),
  });
}

function childSpan(
  { kind, startMs, endMs, run, isFailed }: RequestSpan,
  { kept, root, stageId }: { readonly kept: KeptTrace; readonly root: Span; readonly stageId: string },
): Span {
  return create(SpanSchema, {
    ...idsOf({ traceId: kept.request.traceId, spanId: newSpanId() }),
    traceState: root.traceState,
    parentSpanId: root.spanId,
    flags: SAMPLED | KNOWN_LOCAL,
    name: `${kind} ${stageId}`,
    kind: kind === 'run' ? SpanKind.CLIENT : SpanKind.INTERNAL,
    startTimeUnixNano: nanosOf(kept, startMs),
    endTimeUnixNano: nanosOf(kept, endMs),
    attributes: attributes({
      'equipoise.stage': stageId,
      'equipoise.variant': run?.variantId,
      'equipoise.replica': run?.replicaId,
      'equipoise.batch_size': run?.size,
    }),
    ...(isFailed && { status: { code: StatusCode.ERROR } }),
  });
}

/** A batch of several requests. */
export interface BatchSpan {
  readonly ids: BatchIds;
  readonly stageId: string;
  readonly size: number;
  readonly variantId: string | undefined;
  readonly replicaId: string;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
}

export function batchSpan(batch: BatchSpan, runs: readonly Span[]): Span {
  const { ids } = batch;
  return create(SpanSchema, {
    ...idsOf(ids),
    ...(ids.parentSpanId !== undefined && { parentSpanId: bytesOf(ids.parentSpanId) }),
    flags: SAMPLED | KNOWN_LOCAL,
    name: `batch ${batch.stageId}`,
    kind: SpanKind.CLIENT,
    startTimeUnixNano: batch.startNanos,
    endTimeUnixNano: batch.endNanos,
    attributes: attributes({
      'equipoise.stage': batch.stageId,
      'equipoise.variant': batch.variantId,
      'equipoise.replica': batch.replicaId,
      'equipoise.batch_size': batch.size,
    }),
    links: runs.map(({ traceId, spanId }) => create(Span_LinkSchema, { traceId, spanId, flags: SAMPLED })),
  });
}

/** Bytes of an ExportTraceServiceRequest. */
export function exportRequest(spans: readonly Span[], resource: Resource, version: string): Uint8Array<ArrayBuffer> {
  const resourceSpans = create(ResourceSpansSchema, {
    resource: { attributes: attributes(resource) },
    scopeSpans: [{ scope: { name: 'equipoise', version }, spans: [...spans] }],
  });
  return toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, { resourceSpans: [resourceSpans] }),
  );
}

function attributes(all: Readonly<Record<string, Attribute>>): KeyValue[] {
  return Object.entries(all).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return create(KeyValueSchema, { key, value: { value: anyValue(value) } });
  });
}

function anyValue(value: Exclude<Attribute, undefined>) {
  if (typeof value === 'string') return { case: 'stringValue' as const, value };
  return typeof value === 'boolean'
    ? { case: 'boolValue' as const, value }
    : { case: 'intValue' as const, value: BigInt(value) };
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function idsOf({ traceId, spanId }: Pick<BatchIds, 'traceId' | 'spanId'>) {
  return { traceId: bytesOf(traceId), spanId: bytesOf(spanId) };
}

/** Time since 1970 (ns) of an instant on the clock of the pipeline. */
function nanosOf({ endedEpochMs, end }: KeptTrace, atMs: number): bigint {
  const epochMs = endedEpochMs - (end.endedAtMs - atMs);
  return BigInt(Math.round(epochMs * 1000)) * 1000n;
}
