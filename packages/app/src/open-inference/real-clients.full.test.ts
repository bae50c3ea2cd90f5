/**
 * Third-party clients and server: tritonclient and curl against our server; our client and replicas against MLServer.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandReplicaLauncher, type InferenceClient, openInferenceClient } from '@equipoise/adapter-open-inference';
import type { InferenceServerSpec, TensorMap } from '@equipoise/core/model';
import type { RunningServer } from '@equipoise/runtime';
import { describeWithTool, launchRequestOf, oneCore, stageNamed, variantNamed } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoPipeline, obeyingPipeline, startObeyingServer } from './obeying-server.test-support.js';

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const installed = process.env['EQUIPOISE_REAL_CLIENTS_DIR'] ?? join(cache, 'equipoise', 'real-clients');
const folder = fileURLToPath(new URL('./real-clients', import.meta.url));
const realClients = {
  name: 'real-clients',
  missing: 'scripts/real-clients/install',
  isPresent: () => existsSync(join(installed, 'installed')),
};

/** A line that the client of MLServer writes. */
interface MlserverAnswer {
  readonly parameters: { readonly batch_index: number };
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

interface Case {
  readonly case: string;
  readonly problem: string | null;
}

/** Output of a program of the environment; rejects if it fails. */
function printed(program: string, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(installed, 'bin', program), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => {
      texts.stdout += text;
    });
    child.stderr.on('data', (text: Buffer) => {
      texts.stderr += text;
    });
    child.on('close', (exitCode) => (exitCode === 0 ? resolve(texts.stdout) : reject(new Error(texts.stderr))));
  });
}

/** Server of `echo`, and of `rows`, whose declared input of three numbers allows client batches. */
function startWithRows(): Promise<RunningServer> {
  const tensors = [{ name: 'x', datatype: 'FP32', shape: [3], contentTypes: [] }] as const;
  const sources = echoPipeline.sources.map((source) => ({ ...source, tensors }));
  return startObeyingServer({
    runners: [echoPipeline, { ...echoPipeline, name: 'rows', sources }].map(obeyingPipeline),
  });
}

describeWithTool(realClients, 'tritonclient', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startWithRows();
  });
  afterAll(() => server.close({ timeoutMs: 100 }));

  it('passes its matrix of data types, shapes, forms and errors over HTTP and gRPC', async () => {
    const text = await printed(
      'python',
      join(folder, 'triton_matrix.py'),
      new URL(server.url).host,
      server.grpcAddress ?? '',
    );
    const cases = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Case);
    expect(cases.filter(({ problem }) => problem !== null)).toEqual([]);
    expect(cases.length).toBeGreaterThan(250);
  });
});

describeWithTool(realClients, 'MLServer', () => {
  const launcher = new CommandReplicaLauncher();
  const requestOf = (scheme: 'http' | 'grpc', batching: InferenceServerSpec['batching']) => {
    const ports = scheme === 'http' ? ['{port}', '{port2}'] : ['{port2}', '{port}'];
    const server: InferenceServerSpec = {
      urls: [`${scheme}://127.0.0.1:{port}`],
      model: 'echo',
      batching,
      command: [join(installed, 'bin', 'mlserver'), 'start', folder],
      environment: {
        MLSERVER_HTTP_PORT: ports[0] ?? '',
        MLSERVER_GRPC_PORT: ports[1] ?? '',
        MLSERVER_METRICS_PORT: '{port3}',
        PYTHONPATH: join(folder, 'echo-model'),
        // The workers of MLServer 1.7.1 do not start under the uvloop that MLServer installs.
        MLSERVER_PARALLEL_WORKERS: '0',
      },
    };
    return launchRequestOf(stageNamed('mlserver', [variantNamed('v', { server })]));
  };
  const items: readonly TensorMap[] = [1, 2, 3].map((value) => ({
    x: { datatype: 'FP32', shape: [2], data: Float32Array.of(value, -value) },
    n: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(2n ** 62n + BigInt(value)) },
    u: { datatype: 'UINT8', shape: [1, 2], data: Uint8Array.of(value, 255) },
    b: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) },
    t: { datatype: 'BYTES', shape: [1], data: [`grüße ${value}`] },
  }));

  it.each([
    ['http', 'stack'],
    ['http', 'single'],
    ['grpc', 'stack'],
  ] as const)('is a replica over %s, %s', async (scheme, batching) => {
    const { runner } = await launcher.launch({ ...requestOf(scheme, batching), resources: oneCore });
    expect((await runner.run(items)).items).toEqual(items.map((output) => ({ kind: 'ok', output })));
    const failed = await runner.run([{ fail: { datatype: 'FP32', shape: [1], data: Float32Array.of(1) } }]);
    expect(failed.items[0]?.kind).toBe('failed');
    expect((await runner.run(items.slice(0, 1))).items[0]?.kind).toBe('ok');
    await runner.close();
  });
});

describeWithTool(realClients, 'the client of MLServer', () => {
  it('sends batches of its rows', async () => {
    const server = await startWithRows();
    const files = await mkdtemp(join(tmpdir(), 'equipoise-mlserver-'));
    const [input, output] = ['input.jsonl', 'output.jsonl'].map((name) => join(files, name)) as [string, string];
    const rows = Array.from({ length: 10 }, (_, row) => [row, -1 - row, row / 2]);
    const inputs = rows.map((data) => ({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data }] }));
    await writeFile(input, inputs.map((line) => JSON.stringify(line)).join('\n'));
    const paths = ['--input-data-path', input, '--output-data-path', output];
    const to = ['--url', new URL(server.url).host, '--model-name', 'rows', '--batch-size', '4'];
    await printed('mlserver', 'infer', ...to, ...paths);
    const lines = (await readFile(output, 'utf8')).trim().split('\n');
    const answers = lines
      .map((line) => JSON.parse(line) as MlserverAnswer)
      .sort((a, b) => a.parameters.batch_index - b.parameters.batch_index);
    await server.close({ timeoutMs: 100 });
    await rm(files, { recursive: true });
    expect(answers.map(({ outputs: [x] }) => [x?.shape, x?.data])).toEqual(rows.map((row) => [[1, 3], row]));
  });
});

describe('curl', () => {
  let server: RunningServer;
  let client: InferenceClient;
  beforeAll(async () => {
    server = await startObeyingServer();
    client = openInferenceClient(server.url);
  });
  afterAll(async () => {
    client.close();
    await server.close({ timeoutMs: 100 });
  });

  const curl = {
    name: 'curl',
    missing: 'the program curl',
    isPresent: () => {
      try {
        execFileSync('curl', ['--version'], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    },
  };
  describeWithTool(curl, 'the program', () => {
    it.each(['--http1.1', '--http1.0'])('infers with %s', async (version) => {
      const body = JSON.stringify({ id: 'c', inputs: [{ name: 'x', datatype: 'INT8', shape: [2], data: [1, -1] }] });
      const url = `${server.url}/v2/models/echo/infer`;
      const text = await new Promise<string>((resolve, reject) => {
        const child = spawn('curl', ['-sS', version, '-H', 'content-type: application/json', '-d', body, url]);
        let out = '';
        child.stdout.on('data', (part: Buffer) => {
          out += part;
        });
        child.on('close', (exitCode) =>
          exitCode === 0 ? resolve(out) : reject(new Error(`curl ended with ${exitCode}`)),
        );
      });
      expect(JSON.parse(text)).toEqual({
        model_name: 'echo',
        id: 'c',
        outputs: [{ name: 'x', datatype: 'INT8', shape: [2], data: [1, -1] }],
      });
    });
  });
});
