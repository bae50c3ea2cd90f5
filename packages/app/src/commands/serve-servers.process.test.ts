/** Stages that are other servers: already running (REST, gRPC) or started by `command`. */
import { fileURLToPath } from 'node:url';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const BIN = fileURLToPath(new URL('../../bin/equipoise.js', import.meta.url));
const behindFlags = ['--arrival-rps', '1', '--fixed', '--no-admin-port'];
let behind: Serving;
let grpcAddress = '';

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
}, 60_000);

afterAll(() => folder.remove());

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
    'is served: %s',
    async (name, server) => {
      folder.write(`${name}.yaml`, inFrontOf(name, server()));
      const { url, command } = await serving(folder.path, `${name}.yaml`);
      const client = openInferenceClient(url);
      const inputs = { input: { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) } } as const;
      const { outputs } = await client.infer(name, { inputs });
      expect(outputs).toEqual(inputs);
      client.close();
      command.signal('SIGTERM');
      expect((await command.ended).exitCode).toBe(0);
    },
    60_000,
  );
});
