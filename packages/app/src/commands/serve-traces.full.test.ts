/** Traces of a served pipeline in a real OpenTelemetry collector, which prints what it has read. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const program = process.env['EQUIPOISE_OTEL_COLLECTOR'] ?? '';
const collectorProgram: Tool = {
  name: 'otel-collector',
  missing: 'its path, which scripts/otel-collector/install prints, in EQUIPOISE_OTEL_COLLECTOR',
  isPresent: () => existsSync(program),
};

const SPAN = 'ab'.repeat(8);

interface PrintedSpan {
  readonly traceId: string;
  readonly parentId: string;
  readonly id: string;
  readonly name: string;
  readonly kind: string;
}

describeWithTool(collectorProgram, 'a real collector', () => {
  const folder = new TestFolder();
  let collector: ChildProcessWithoutNullStreams;
  let printed = '';
  let endpoint = '';

  beforeAll(async () => {
    const place = `127.0.0.1:${await freePort()}`;
    endpoint = `http://${place}`;
    folder.write('collector.yaml', collectorFile(place));
    folder.write('pipeline.yaml', syntheticPipeline());
    collector = spawn(program, ['--config', 'collector.yaml'], { cwd: folder.path });
    for (const stream of [collector.stdout, collector.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    await vi.waitFor(() => expect(printed).toContain('Everything is ready'), 60_000);
  }, 70_000);

  afterAll(async () => {
    collector.kill();
    if (collector.exitCode === null) await once(collector, 'close');
    await folder.remove();
  });

  it('gets whole traces of requests over REST and gRPC', async () => {
    const { url, command } = await serving(
      folder.path,
      'pipeline.yaml',
      '--grpc-port',
      '0',
      '--otlp-endpoint',
      endpoint,
    );
    const [, grpc = ''] = await command.said(/gRPC on (\S+):/);
    const traceIds: string[] = [];
    for (const address of [url, `grpc://${grpc}`]) {
      const client = openInferenceClient(address);
      for (let i = 0; i < 5; i++) {
        const traceId = randomBytes(16).toString('hex');
        traceIds.push(traceId);
        const inputs = { input: { datatype: 'FP32', shape: [1], data: Float32Array.of(i) } } as const;
        await client.infer('synthetic', { inputs }, { headers: { traceparent: `00-${traceId}-${SPAN}-01` } });
      }
      client.close();
    }
    // A server that stops sends its last traces.
    command.signal('SIGTERM');
    expect((await command.ended).exitCode).toBe(0);
    const spansOf = (traceId: string) => printedSpans(printed).filter((span) => span.traceId === traceId);
    await expect.poll(() => traceIds.filter((id) => spansOf(id).length > 0).length, { timeout: 60_000 }).toBe(10);
    for (const traceId of traceIds) {
      const spans = spansOf(traceId);
      const [server, ...others] = spans.filter(({ kind }) => kind === 'Server');
      expect([server?.name, server?.parentId, others]).toEqual(['synthetic', SPAN, []]);
      const children = spans.filter((span) => span !== server);
      expect(children.map(({ name }) => name)).toEqual(expect.arrayContaining(['run detect', 'run classify']));
      expect(new Set(children.map(({ parentId }) => parentId))).toEqual(new Set([server?.id]));
    }
  }, 120_000);
});

const collectorFile = (place: string): string => `receivers:
  otlp: { protocols: { http: { endpoint: '${place}' } } }
exporters:
  debug: { verbosity: detailed }
service:
  pipelines:
    traces: { receivers: [otlp], exporters: [debug] }
`;

function printedSpans(text: string): readonly PrintedSpan[] {
  const [, ...spans] = text.split(/^Span #\d+$/m);
  return spans.map((span) => {
    const field = (name: string) => new RegExp(`^ +${name} +: (\\S.*)?$`, 'm').exec(span)?.[1] ?? '';
    const [traceId, parentId, id] = [field('Trace ID'), field('Parent ID'), field('ID')];
    return { traceId, parentId, id, name: field('Name'), kind: field('Kind') };
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
