/** Stages that are other servers: already running (REST, gRPC) or started by `command`. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const BIN = fileURLToPath(new URL('../../bin/equipoise.js', import.meta.url));
const behindFlags = ['--arrival-rps', '1', '--fixed', '--no-admin-port'];
let behind: Serving;
let grpcAddress = '';
let adminUrl = '';
/** A collector, and the bytes that it gets. */
const exported: Buffer[] = [];
const collector = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => exported.push(chunk)).on('end', () => response.end());
});

const SPAN = 'ab'.repeat(8);
const collectorUrl = () => `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

/** One-stage pipeline; its model is the pipeline `synthetic` of another server. */
const inFrontOf = (name: string, server: object) => `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  slo: { latencyMs: 5000 }
  control: { mode: off }
  stages:
    - name: remote
      variants:
        - name: only
          accuracy: { value: 0.8 }
          server: ${JSON.stringify({ model: 'synthetic', batching: 'single', ...server })}
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 30, p99Ms: 60 }]
`;

beforeAll(async () => {
  folder.write('behind.yaml', syntheticPipeline());
  behind = await serving(folder.path, 'behind.yaml', '--grpc-port', '0');
  [, grpcAddress = ''] = await behind.command.said(/gRPC on (\S+):/);
  [, adminUrl = ''] = await behind.command.said(/admin port (http:\S+)/);
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
}, 60_000);

afterAll(() => {
  collector.closeAllConnections();
  collector.close();
  return folder.remove();
});

describe('a stage of servers', () => {
  it.each([
    ['rest', () => ({ url: behind.url })],
    ['grpc', () => ({ url: `grpc://${grpcAddress}` })],
    [
      'command',
      () => ({
        url: 'http://127.0.0.1:{port}',
        command: [process.execPath, BIN, 'serve', 'behind.yaml', ...behindFlags, '--port', '{port}'],
      }),
    ],
  ])(
    'is served, in the trace of its client: %s',
    async (name, server) => {
      const traceId = randomBytes(16).toString('hex');
      folder.write(`${name}.yaml`, inFrontOf(name, server()));
      const { url, command } = await serving(folder.path, `${name}.yaml`, '--otlp-endpoint', collectorUrl());
      const client = openInferenceClient(url);
      const inputs = { input: { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) } } as const;
      const { outputs } = await client.infer(
        name,
        { inputs },
        { headers: { traceparent: `00-${traceId}-${SPAN}-01` } },
      );
      expect(outputs).toEqual(inputs);
      const { requests } = (await (await fetch(`${adminUrl}/synthetic/requests`)).json()) as {
        requests: { traceId: string }[];
      };
      expect(requests.some((each) => each.traceId === traceId)).toBe(name !== 'command');
      client.close();
      command.signal('SIGTERM');
      expect((await command.ended).exitCode).toBe(0);
      expect(Buffer.concat(exported).includes(Buffer.from(traceId, 'hex'))).toBe(true);
    },
    60_000,
  );
});
