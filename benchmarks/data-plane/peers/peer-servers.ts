/** The three servers of the comparison, as processes that serve both chains. */
import { cpSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { PostRequest } from '../load/open-load.js';
import { benchFile, type ServerCommand, servingNode } from '../router/server-process.js';

/** The chains: no-op stages, and the two ONNX models. */
export type Chain = 'no-op' | 'onnx';

/** A server and its requests for one run of a chain: one request, or one per model. */
export interface Peer {
  readonly name: string;
  /** Command that starts the server. */
  readonly command: ServerCommand;
  readonly url: string;
  readonly steps: Readonly<Record<Chain, readonly PostRequest[]>>;
}

const MAX_BATCH_SIZE = 16;
const WIDTH = 256;
/**
 * Settings of Ray's guide to high throughput, without its HAProxy ingress, which would listen on all interfaces of the
 * machine. Requests use Ray's own proxy instead. Ray's workers get the same priority as the other servers.
 */
const highThroughput = {
  RAY_SERVE_THROUGHPUT_OPTIMIZED: '1',
  RAY_SERVE_ENABLE_DIRECT_INGRESS: '0',
  RAY_worker_niceness: '0',
};
/** Python servers start slowly. */
const START_TIMEOUT_MS = 180_000;
const BIN = benchFile('../../packages/app/bin/equipoise.js');
const peersFolder =
  process.env['EQUIPOISE_PEERS_DIR'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'equipoise/peers');
const data = Array.from({ length: WIDTH }, (_, index) => index / 1000);

/** All servers of the comparison. Their models and configurations are in `folder`; missing files are written. */
export async function peerServers(folder: string): Promise<readonly Peer[]> {
  cpSync(benchFile('peers'), folder, { recursive: true });
  cpSync(benchFile('router/no-op-stage.mjs'), join(folder, 'no-op-stage.mjs'));
  return [
    ...(await Promise.all((['no-op', 'onnx'] as const).map((chain) => equipoise(folder, chain)))),
    await mlserver(folder),
    await rayServe(folder),
  ];
}

/** One process per chain, because `serve` serves one pipeline. */
async function equipoise(folder: string, chain: Chain): Promise<Peer> {
  const file = `${chain}.yaml`;
  writeFileSync(join(folder, file), JSON.stringify(pipelineOf(chain), undefined, 1));
  const port = await freePort();
  const ports = ['--port', String(port), '--no-admin-port'];
  const step = request(`/v2/models/${chain}/infer`, {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [WIDTH], data }],
  });
  return {
    name: 'Equipoise',
    command: {
      command: servingNode,
      args: [BIN, 'serve', file, ...ports, '--arrival-rps', '100'],
      cwd: folder,
      ready: /ready http/,
    },
    url: `http://127.0.0.1:${port}`,
    steps: { 'no-op': chain === 'no-op' ? [step] : [], onnx: chain === 'onnx' ? [step] : [] },
  };
}

/** MLServer has no chains, so its client calls one model after the other. */
async function mlserver(folder: string): Promise<Peer> {
  const [port, grpcPort] = [await freePort(), await freePort()];
  const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, WIDTH], data }] };
  const both = (chain: Chain) => [1, 2].map((index) => request(`/v2/models/${chain}-${index}/infer`, body));
  return {
    name: 'MLServer',
    command: {
      command: join(peersFolder, 'mlserver/bin/mlserver'),
      args: ['start', 'mlserver'],
      cwd: folder,
      environment: {
        ...{ MLSERVER_HTTP_PORT: String(port), MLSERVER_GRPC_PORT: String(grpcPort), MLSERVER_HOST: '127.0.0.1' },
        ...{ MLSERVER_PARALLEL_WORKERS: '0', PYTHONPATH: join(folder, 'mlserver') },
      },
      ready: /(?=[\s\S]*no-op-2' succes)(?=[\s\S]*onnx-2' succes)(?=[\s\S]*Uvicorn running)/,
      startTimeoutMs: START_TIMEOUT_MS,
    },
    url: `http://127.0.0.1:${port}`,
    steps: { 'no-op': both('no-op'), onnx: both('onnx') },
  };
}

async function rayServe(folder: string): Promise<Peer> {
  const port = await freePort();
  const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [WIDTH], data }] };
  return {
    name: 'Ray Serve',
    command: {
      command: join(peersFolder, 'ray/bin/python'),
      args: ['ray/chain.py', String(port)],
      cwd: folder,
      environment: { RAY_USAGE_STATS_ENABLED: '0', ...highThroughput },
      ready: /ready \d+/,
      startTimeoutMs: START_TIMEOUT_MS,
    },
    url: `http://127.0.0.1:${port}`,
    steps: { 'no-op': [request('/no-op', body)], onnx: [request('/onnx', body)] },
  };
}

function request(path: string, body: unknown): PostRequest {
  return { path, headers: {}, body: JSON.stringify(body) };
}

function pipelineOf(chain: Chain): unknown {
  const cpuCores = 0.5;
  const profile = [1, MAX_BATCH_SIZE].map((batchSize) => ({ cpuCores, batchSize, meanMs: 0.2 + 0.02 * batchSize }));
  const stage = (index: number) => ({
    name: `stage-${index}`,
    kind: 'transform',
    module: chain === 'no-op' ? './no-op-stage.mjs' : 'npm:@equipoise/adapter-onnx/stage',
    variants: [
      {
        ...{ name: 'only', resources: { cpuCores }, profile },
        ...(chain === 'onnx' && { artifact: `./models/layer-${index}.onnx` }),
      },
    ],
    bounds: { maxBatchWaitMs: 0 },
    pins: { replicas: 1, maxBatchSize: MAX_BATCH_SIZE },
  });
  return {
    apiVersion: 'equipoise.dev/v1alpha1',
    kind: 'InferencePipeline',
    metadata: { name: chain },
    spec: {
      slo: { latencyMs: 2000 },
      control: { mode: 'off' },
      sources: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
      stages: [stage(1), stage(2)],
    },
  };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
