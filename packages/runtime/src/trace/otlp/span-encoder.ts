/**
 * Kept traces as OTLP messages. A request is a server span; its waits, hops and runs are children. A batch of several
 * requests is a span of its own. The runs of its kept requests and the batch link to each other.
 *
 * Spans of one stage, variant and replica differ in ids, times and links. The library encodes the other fields once;
 * the order of fields in a message is free.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { LruCache } from '@equipoise/core/model';
import type { RequestSpan } from '@equipoise/core/serve';
import { type BatchIds, batchIds } from '../batch-ids.js';
import type { KeptTrace } from '../request-tracer.js';
import { newSpanId } from '../trace-ids.js';
import {
  ExportTraceServiceRequestSchema,
  type KeyValue,
  KeyValueSchema,
  ResourceSpansSchema,
  ScopeSpansSchema,
  Span_LinkSchema,
  SpanSchema,
} from './otlp-trace.gen.js';

export interface SpanFacts {
  readonly pipeline: string;
  readonly stageIds: readonly string[];
  /** Attributes of the process, such as `service.name`. */
  readonly resource: Readonly<Record<string, string>>;
  /** Version of Equipoise. */
  readonly version: string;
}

/** An encoded span. */
export type SpanBytes = Uint8Array<ArrayBuffer>;

/** Lower-case hexadecimal. */
export type SpanIds = Pick<BatchIds, 'traceId' | 'spanId'>;

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

/** Fields in which spans differ. */
interface OwnFields extends SpanIds {
  readonly parentSpanId: string | undefined;
  readonly traceState?: string | undefined;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly links?: readonly SpanIds[];
}

const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
const StatusCode = { ERROR: 2 } as const;

type Attribute = string | number | boolean | undefined;

/** Sampled (bit 0), and whether the parent is of another process is known (bit 8) and true (bit 9). */
const SAMPLED = 0x01;
const KNOWN_LOCAL = 0x100;
const REMOTE = 0x200;

const MOST_COMMON = 1024;

export class SpanEncoder {
  readonly #facts: SpanFacts;
  /** Beginnings of the messages that hold the spans. */
  readonly #resource: Uint8Array;
  readonly #scope: Uint8Array;
  readonly #common = new LruCache<SpanBytes>(MOST_COMMON);

  constructor(facts: SpanFacts) {
    const { resource, version } = facts;
    this.#facts = facts;
    const ofResource = create(ResourceSpansSchema, { resource: { attributes: attributes(resource) } });
    this.#resource = toBinary(ResourceSpansSchema, ofResource);
    this.#scope = toBinary(ScopeSpansSchema, create(ScopeSpansSchema, { scope: { name: 'equipoise', version } }));
  }

  /** Spans of a kept trace, the server span first. `onBatch` receives each run in a batch of several requests. */
  spansOf(kept: KeptTrace, onBatch: (batch: BatchSpan, run: SpanIds) => void): readonly SpanBytes[] {
    return [this.#serverSpan(kept), ...kept.spans.map((span) => this.#childSpan(span, kept, onBatch))];
  }

  batchSpan(batch: BatchSpan, runs: readonly SpanIds[]): SpanBytes {
    const { ids, startNanos, endNanos } = batch;
    const { traceId, spanId, parentSpanId } = ids;
    const common = this.#commonOf(['batch of requests', ...keyOf(batch)], () => ({
      flags: SAMPLED | KNOWN_LOCAL,
      name: `batch ${batch.stageId}`,
      kind: SpanKind.CLIENT,
      attributes: visitAttributes(batch),
    }));
    return spanBytes(common, { traceId, spanId, parentSpanId, startNanos, endNanos, links: runs });
  }

  /** Bytes of an ExportTraceServiceRequest. */
  request(spans: readonly SpanBytes[]): Uint8Array<ArrayBuffer> {
    const { resourceSpans } = ExportTraceServiceRequestSchema.field;
    const { scopeSpans } = ResourceSpansSchema.field;
    const writer = new BinaryWriter();
    writer.tag(resourceSpans.number, WireType.LengthDelimited).fork().raw(this.#resource);
    writer.tag(scopeSpans.number, WireType.LengthDelimited).fork().raw(this.#scope);
    for (const span of spans) writer.tag(ScopeSpansSchema.field.spans.number, WireType.LengthDelimited).bytes(span);
    return writer.join().join().finish();
  }

  #serverSpan(kept: KeptTrace): SpanBytes {
    const { request, end, cause } = kept;
    const { parent, traceId, spanId } = request;
    const { pipeline } = this.#facts;
    const problem = end.reason ?? end.code;
    const flags = SAMPLED | KNOWN_LOCAL | (parent ? REMOTE : 0);
    const common = this.#commonOf(['request', flags, end.kind, problem, cause], () => ({
      flags,
      name: pipeline,
      kind: SpanKind.SERVER,
      attributes: attributes({
        'equipoise.pipeline': pipeline,
        'equipoise.outcome': end.kind,
        'error.type': problem,
        'equipoise.sampled_because': cause,
      }),
      ...(problem !== undefined && { status: { code: StatusCode.ERROR, message: problem } }),
    }));
    return spanBytes(common, {
      traceId,
      spanId,
      parentSpanId: parent?.spanId,
      traceState: parent?.state,
      startNanos: nanosOf(kept, end.arrivedAtMs),
      endNanos: nanosOf(kept, end.endedAtMs),
    });
  }

  #childSpan(
    { kind, stage, startMs, endMs, run, isFailed }: RequestSpan,
    kept: KeptTrace,
    onBatch: (batch: BatchSpan, run: SpanIds) => void,
  ): SpanBytes {
    const { request } = kept;
    const visit = {
      stageId: this.#facts.stageIds[stage] ?? '',
      variantId: run?.variantId,
      replicaId: run?.replicaId,
      size: run?.size,
    };
    const common = this.#commonOf([kind, isFailed, ...keyOf(visit)], () => ({
      flags: SAMPLED | KNOWN_LOCAL,
      name: `${kind} ${visit.stageId}`,
      kind: kind === 'run' ? SpanKind.CLIENT : SpanKind.INTERNAL,
      attributes: visitAttributes(visit),
      ...(isFailed && { status: { code: StatusCode.ERROR } }),
    }));
    const place = {
      traceId: request.traceId,
      parentSpanId: request.spanId,
      traceState: request.parent?.state,
      startNanos: nanosOf(kept, startMs),
      endNanos: nanosOf(kept, endMs),
    };
    if (kind !== 'run' || run === undefined) return spanBytes(common, { ...place, spanId: newSpanId() });
    const ids = batchIds(run, request);
    if (run.size === 1) return spanBytes(common, { ...place, spanId: ids.spanId });
    const spanId = newSpanId();
    const endedAtMs = Number.isNaN(run.endedAtMs) ? endMs : run.endedAtMs;
    const times = { startNanos: nanosOf(kept, run.startedAtMs), endNanos: nanosOf(kept, endedAtMs) };
    const { size, variantId, replicaId } = run;
    onBatch({ ...times, ids, stageId: visit.stageId, size, variantId, replicaId }, { traceId: place.traceId, spanId });
    return spanBytes(common, { ...place, spanId, links: [ids] });
  }

  /** `key` has all values on which `fields` depends. */
  #commonOf(key: readonly unknown[], fields: () => MessageInitShape<typeof SpanSchema>): SpanBytes {
    return this.#common.remember(key.join('\n'), () => toBinary(SpanSchema, create(SpanSchema, fields())));
  }
}

interface VisitFacts {
  readonly stageId: string;
  readonly variantId: string | undefined;
  readonly replicaId: string | undefined;
  readonly size: number | undefined;
}

function keyOf({ stageId, variantId, replicaId, size }: VisitFacts): readonly unknown[] {
  return [stageId, variantId, replicaId, size];
}

function visitAttributes({ stageId, variantId, replicaId, size }: VisitFacts): KeyValue[] {
  return attributes({
    'equipoise.stage': stageId,
    'equipoise.variant': variantId,
    'equipoise.replica': replicaId,
    'equipoise.batch_size': size,
  });
}

/** `common`: the encoded fields that the span shares with others. */
function spanBytes(
  common: SpanBytes,
  { traceId, spanId, parentSpanId, traceState = '', startNanos, endNanos, links = [] }: OwnFields,
): SpanBytes {
  const { field } = SpanSchema;
  const writer = new BinaryWriter().raw(common);
  writer.tag(field.traceId.number, WireType.LengthDelimited).bytes(bytesOf(traceId));
  writer.tag(field.spanId.number, WireType.LengthDelimited).bytes(bytesOf(spanId));
  if (traceState !== '') writer.tag(field.traceState.number, WireType.LengthDelimited).string(traceState);
  if (parentSpanId !== undefined)
    writer.tag(field.parentSpanId.number, WireType.LengthDelimited).bytes(bytesOf(parentSpanId));
  writer.tag(field.startTimeUnixNano.number, WireType.Bit64).fixed64(startNanos);
  writer.tag(field.endTimeUnixNano.number, WireType.Bit64).fixed64(endNanos);
  for (const link of links) {
    writer.tag(field.links.number, WireType.LengthDelimited).fork();
    writer.tag(Span_LinkSchema.field.traceId.number, WireType.LengthDelimited).bytes(bytesOf(link.traceId));
    writer.tag(Span_LinkSchema.field.spanId.number, WireType.LengthDelimited).bytes(bytesOf(link.spanId));
    writer.tag(Span_LinkSchema.field.flags.number, WireType.Bit32).fixed32(SAMPLED).join();
  }
  return writer.finish();
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

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

/** Time since 1970 (ns) of an instant on the clock of the pipeline. */
function nanosOf({ endedEpochMs, end }: KeptTrace, atMs: number): bigint {
  const epochMs = endedEpochMs - (end.endedAtMs - atMs);
  return BigInt(Math.round(epochMs * 1000)) * 1000n;
}
