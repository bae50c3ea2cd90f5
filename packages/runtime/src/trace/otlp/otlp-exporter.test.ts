import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import protobuf from 'protobufjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bench, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { RequestTracer } from '../request-tracer.js';
import { OtlpExporter, type OtlpOptions } from './otlp-exporter.js';

const published = fileURLToPath(new URL('./published/', import.meta.url));
const root = new protobuf.Root();
root.resolvePath = (_, target) => `${published}${target}`;
root.loadSync('opentelemetry/proto/collector/trace/v1/trace_service.proto');
const requestType = root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest');
const responseType = root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse');

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: string;
  readonly flags: number;
  readonly traceState: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code: string; readonly message: string } | null;
}

interface Sent {
  readonly headers: IncomingHttpHeaders;
  /** Bytes of fields that the protocol does not have. */
  readonly unknownBytes: number;
  readonly resource: unknown;
  readonly spans: readonly SentSpan[];
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

/** A collector that decodes requests by the published protocol. It answers by `answers` in turn, then with 200. */
async function collector(answers: ((response: ServerResponse) => void)[] = []) {
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const message = requestType.decode(body);
      const plain = requestType.toObject(message, { bytes: String, enums: String, longs: String, defaults: true });
      const [resourceSpans] = plain['resourceSpans'];
      sent.push({
        headers: request.headers,
        unknownBytes: body.length - requestType.encode(message).finish().length,
        resource: resourceSpans.resource,
        spans: resourceSpans.scopeSpans[0].spans,
      });
      const answer = answers.shift() ?? ((each) => each.end());
      answer(response);
    });
  }).listen(0, '127.0.0.1');
  let connected = 0;
  server.on('connection', () => {
    connected += 1;
  });
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { sent, connections: () => connected, url: `http://127.0.0.1:${port}/v1/traces` };
}

type Listener = Parameters<RequestTracer['onKept']>[0];

interface TracedOptions extends Partial<OtlpOptions> {
  /** Fraction of the requests that are kept by chance; default all. */
  readonly fraction?: number;
}

function traced(
  url: string,
  { fraction = 1, ...options }: TracedOptions = {},
  onKept: (add: Listener) => Listener = (add) => add,
) {
  const clock = new ManualClock();
  const tracer = new RequestTracer({
    sampling: { fraction },
    rng: new SeededRng(1),
    epochMs: () => 1_790_000_000_000 + clock.nowMs(),
  });
  const problems: string[] = [];
  const source = { spanCounts: tracer.spanCounts, onKept: (add: Listener) => tracer.onKept(onKept(add)) };
  const exporter = new OtlpExporter(source, {
    ...{ url, headers: { 'x-key': 'k' }, resource: { 'service.name': 'shelf' }, version: '1.2.3', pipeline: 'bench' },
    ...{ stageIds: ['a'], onProblem: (problem) => problems.push(problem), intervalMs: 1e6, timeoutMs: 20_000 },
    ...options,
  });
  const { pipeline } = bench(servingSpec(['a']), clock, { a: (item) => item }, tracer);
  const serve = async (count: number, traceParent?: Parameters<typeof pipeline.submit>[1]) => {
    const all = Array.from({ length: count }, () => pipeline.submit({}, traceParent));
    await clock.advanceTo(clock.nowMs() + 10 * count);
    await Promise.all(all);
  };
  return { tracer, exporter, serve, problems, pipeline };
}

const hex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');
const attributesOf = ({ attributes }: SentSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value['stringValue'] || value['intValue']]));

describe('the bytes of an exported trace, decoded by the published protocol', () => {
  it('are a server span with the spans of its stages', async () => {
    const { sent, url } = await collector();
    const { exporter, serve, tracer } = traced(url);
    const parent = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), isSampled: true, state: 'x=1' };
    await serve(1, { traceParent: parent });
    await exporter.close(20_000);
    expect(sent).toHaveLength(1);
    const [{ headers, unknownBytes, resource, spans } = {} as Sent] = sent;
    expect(unknownBytes).toBe(0);
    expect(headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'x-key': 'k' });
    expect(resource).toMatchObject({ attributes: [{ key: 'service.name', value: { stringValue: 'shelf' } }] });
    const [server, hop, run, ...others] = spans as [SentSpan, SentSpan, SentSpan];
    expect(others).toEqual([]);
    expect([server, hop, run].map(({ name, kind }) => [name, kind])).toEqual([
      ['bench', 'SPAN_KIND_SERVER'],
      ['hop a', 'SPAN_KIND_INTERNAL'],
      ['run a', 'SPAN_KIND_CLIENT'],
    ]);
    expect(spans.map(({ traceId }) => hex(traceId))).toEqual(spans.map(() => parent.traceId));
    expect([hex(server.parentSpanId), server.traceState, server.flags]).toEqual([parent.spanId, 'x=1', 0x301]);
    expect([hop.parentSpanId, run.parentSpanId]).toEqual([server.spanId, server.spanId]);
    expect(new Set(spans.map(({ spanId }) => hex(spanId))).size).toBe(3);
    expect([server.startTimeUnixNano, server.endTimeUnixNano]).toEqual(['1790000000000000000', '1790000000010000000']);
    expect([run.startTimeUnixNano, run.endTimeUnixNano]).toEqual(['1790000000009000000', '1790000000010000000']);
    expect(attributesOf(server)).toEqual({
      ...{ 'equipoise.pipeline': 'bench', 'equipoise.outcome': 'completed', 'equipoise.sampled_because': 'requested' },
    });
    expect(attributesOf(run)).toMatchObject({
      'equipoise.stage': 'a',
      'equipoise.variant': 'v',
      'equipoise.batch_size': '1',
    });
    expect(tracer.spanCounts).toEqual({ exported: 3, queueFull: 0, refused: 0, unreachable: 0 });
  });

  it('have the error of a dropped request', async () => {
    const { sent, url } = await collector();
    const { exporter, pipeline } = traced(url);
    pipeline.beginDraining();
    await pipeline.submit({});
    await exporter.close(20_000);
    expect(sent[0]?.unknownBytes).toBe(0);
    expect(sent[0]?.spans).toHaveLength(1);
    expect(sent[0]?.spans[0]?.status).toEqual({ code: 'STATUS_CODE_ERROR', message: 'draining' });
    expect(attributesOf(sent[0]?.spans[0] as SentSpan)).toMatchObject({ 'error.type': 'draining' });
  });

  it('link a batch and the runs of its requests, both ways', async () => {
    const { sent, url } = await collector();
    const { exporter, serve, pipeline } = traced(url);
    pipeline.setBatching('a' as never, { maxBatchSize: 4, maxBatchWaitMs: 0 });
    await serve(4);
    await exporter.close(20_000);
    expect(sent.map(({ unknownBytes }) => unknownBytes)).toEqual([0]);
    const spans = sent.flatMap((each) => each.spans);
    const batch = spans.find(({ name }) => name === 'batch a');
    const runs = spans.filter(({ name, links }) => name === 'run a' && links.length > 0);
    expect(runs).toHaveLength(3);
    expect(runs.map(({ links }) => links.map(({ spanId }) => spanId))).toEqual(runs.map(() => [batch?.spanId]));
    expect(batch?.links.map(({ spanId }) => spanId)).toEqual(runs.map(({ spanId }) => spanId));
    const server = spans.find(({ spanId }) => spanId === batch?.parentSpanId);
    expect([server?.name, server?.traceId]).toEqual(['bench', batch?.traceId]);
    expect(attributesOf(batch as SentSpan)).toMatchObject({ 'equipoise.batch_size': '3' });
    const sizes = spans.filter(({ name }) => name === 'run a').map((run) => attributesOf(run)['equipoise.batch_size']);
    expect(sizes).toEqual(['1', '3', '3', '3']);
  });

  it('have the caller, the cause and the outcome of each request', async () => {
    const { sent, url } = await collector();
    const { exporter, serve, pipeline } = traced(url);
    const traceParent = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), isSampled: true };
    await serve(1);
    await serve(1, { traceParent });
    await serve(1);
    pipeline.beginDraining();
    await pipeline.submit({});
    await exporter.close(20_000);
    const servers = sent.flatMap(({ spans }) => spans).filter(({ name }) => name === 'bench');
    const found = servers.map((server) => {
      const { 'equipoise.sampled_because': cause, 'equipoise.outcome': outcome } = attributesOf(server);
      return [server.flags, cause, outcome, hex(server.parentSpanId)];
    });
    expect(found).toEqual([
      [0x101, 'sampled', 'completed', ''],
      [0x301, 'requested', 'completed', traceParent.spanId],
      [0x101, 'sampled', 'completed', ''],
      [0x101, 'sampled', 'dropped', ''],
    ]);
    expect(new Set(servers.map(({ spanId }) => spanId)).size).toBe(4);
  });

  it('tell a failed request with a caller from one without', async () => {
    const { sent, url } = await collector();
    const { exporter, pipeline } = traced(url, { fraction: 0 });
    pipeline.beginDraining();
    const traceParent = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), isSampled: false };
    await pipeline.submit({});
    await pipeline.submit({}, { traceParent });
    await exporter.close(20_000);
    expect(sent[0]?.spans.map(({ flags }) => flags)).toEqual([0x101, 0x301]);
  });
});

describe('an exporter', () => {
  it('fills messages: it sends a full one at once, and fewer spans after five intervals', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { sent, url } = await collector();
    const { exporter, serve, tracer } = traced(url, { intervalMs: 1000 });
    for (let second = 0; second < 5; second++) {
      await serve(1);
      vi.advanceTimersByTime(1000);
    }
    await expect.poll(() => tracer.spanCounts.exported, { timeout: 20_000 }).toBe(15);
    expect(sent).toHaveLength(1);
    for (let i = 0; i < 3; i++) await serve(100);
    vi.advanceTimersByTime(1000);
    await expect.poll(() => tracer.spanCounts.exported, { timeout: 20_000 }).toBeGreaterThan(1000);
    await exporter.close(20_000);
  });

  it('sends the span of a batch once, even if its requests end far apart', async () => {
    const { sent, url } = await collector();
    const held: (() => void)[] = [];
    const { exporter, serve, pipeline, tracer } = traced(url, { intervalMs: 5 }, (add) => (kept) => {
      held.push(() => add(kept));
    });
    pipeline.setBatching('a' as never, { maxBatchSize: 4, maxBatchWaitMs: 0 });
    await serve(4);
    const [first, second, third, last] = held;
    for (const end of [first, second, third]) end?.();
    await expect.poll(() => tracer.spanCounts.exported, { timeout: 20_000 }).toBe(12);
    last?.();
    await exporter.close(20_000);
    const spans = sent.flatMap((each) => each.spans);
    expect(spans).toHaveLength(16);
    expect(spans.filter(({ name }) => name === 'batch a')).toHaveLength(1);
  });

  it('names a collector without the query of its URL', async () => {
    const { url } = await collector([(response) => response.writeHead(400).end('no')]);
    const { exporter, serve, problems } = traced(`${url}?key=secret`);
    await serve(1);
    await exporter.close(20_000);
    expect(problems).toEqual([`the collector at ${url} answered 400`]);
  });

  it('sends again what a busy collector did not take', async () => {
    const busy = (response: ServerResponse) => response.writeHead(503, { 'retry-after': '0' }).end();
    const { sent, url } = await collector([busy, busy]);
    const { exporter, serve, tracer, problems } = traced(url);
    await serve(1);
    await exporter.close(20_000);
    expect(sent.map(({ spans }) => spans.length)).toEqual([3, 3, 3]);
    expect(tracer.spanCounts).toEqual({ exported: 3, queueFull: 0, refused: 0, unreachable: 0 });
    expect(problems).toEqual([expect.stringContaining('answered 503')]);
  });

  it('counts what the collector refuses, whole or in part', async () => {
    const partly = responseType.encode(responseType.create({ partialSuccess: { rejectedSpans: 2 } })).finish();
    const { url } = await collector([
      (response) => response.writeHead(400).end('no'),
      (response) => response.end(partly),
    ]);
    const { exporter, serve, tracer } = traced(url, { intervalMs: 5 });
    await serve(1);
    await expect.poll(() => tracer.spanCounts.refused, { timeout: 20_000 }).toBe(3);
    await serve(1);
    await exporter.close(20_000);
    expect(tracer.spanCounts).toEqual({ exported: 1, queueFull: 0, refused: 5, unreachable: 0 });
  });

  it('keeps its connection, and follows no redirect', async () => {
    const elsewhere = await collector();
    const { sent, connections, url } = await collector([
      (response) => response.end(),
      (response) => response.writeHead(302, { location: elsewhere.url }).end(),
    ]);
    const { exporter, serve, tracer, problems } = traced(url, { intervalMs: 5 });
    await serve(1);
    await expect.poll(() => tracer.spanCounts.exported, { timeout: 20_000 }).toBe(3);
    await serve(1);
    await exporter.close(20_000);
    expect(tracer.spanCounts).toEqual({ exported: 3, queueFull: 0, refused: 3, unreachable: 0 });
    expect(problems).toEqual([`the collector at ${url} answered 302`]);
    expect([sent.length, connections(), elsewhere.connections()]).toEqual([2, 1, 0]);
  });

  it('counts no more refused spans than it sent, whatever the collector says', async () => {
    const rejects = (rejectedSpans: number) =>
      responseType.encode(responseType.create({ partialSuccess: { rejectedSpans } })).finish();
    const { url } = await collector([
      (response) => response.end(rejects(1000)),
      (response) => response.end(rejects(-1000)),
    ]);
    const { exporter, serve, tracer } = traced(url, { intervalMs: 5 });
    await serve(1);
    await expect.poll(() => tracer.spanCounts.refused, { timeout: 20_000 }).toBe(3);
    await serve(1);
    await exporter.close(20_000);
    expect(tracer.spanCounts).toEqual({ exported: 3, queueFull: 0, refused: 3, unreachable: 0 });
  });

  it('survives answers that are no messages, and endless ones', async () => {
    const endless = (response: ServerResponse) => {
      const more = () => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      more();
    };
    const { url } = await collector([(response) => response.end('\xff\xff'), endless]);
    const { exporter, serve, tracer } = traced(url);
    await serve(200);
    await exporter.close(20_000);
    expect(tracer.spanCounts).toMatchObject({ queueFull: 0, refused: 0, unreachable: 0 });
  });

  it('drops and counts what no collector takes, in the time that it has', async () => {
    const { exporter, serve, tracer, problems } = traced('http://127.0.0.1:9/v1/traces');
    await serve(1);
    await exporter.close(50);
    expect(tracer.spanCounts).toEqual({ exported: 0, queueFull: 0, refused: 0, unreachable: 3 });
    expect(problems).toEqual([expect.stringContaining('no answer from the collector')]);
    await serve(1);
    expect(tracer.spanCounts.queueFull).toBe(3);
  });

  it('holds a bounded number of spans', async () => {
    const { exporter, serve, tracer } = traced('http://127.0.0.1:9/v1/traces');
    for (let i = 0; i < 40; i++) await serve(100);
    const held = 40 * 400 - tracer.spanCounts.queueFull;
    expect(held).toBeGreaterThan(8000);
    expect(held).toBeLessThan(8300);
    await exporter.close(1);
  });
});
