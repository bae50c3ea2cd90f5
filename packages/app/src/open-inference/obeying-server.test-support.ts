/** Server of Equipoise whose replicas obey orders in items, and a proxy that can be cut. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import {
  AppError,
  type InferenceServerSpec,
  type PipelineSpec,
  replicaId,
  stageId,
  type TensorMap,
  variantId,
} from '@equipoise/core/model';
import type { BatchResult, ItemResult, LaunchRequest, ModelRunner } from '@equipoise/core/ports';
import { PipelineRunner, type RunningServer, type ServerOptions, startServer } from '@equipoise/runtime';
import { launchRequestOf, oneCore, stageNamed, variantNamed } from '@equipoise/testkit';

/** Orders in elements of `x`; other values are echoed. */
export const orders = { refuse: 601, fail: 602, corrupt: 603, hang: 604, linger: 605 } as const;

/** Item of two numbers whose first is an order. */
export const orderItem = (order: number): TensorMap => ({
  x: { datatype: 'FP32', shape: [2], data: Float32Array.of(order, 0) },
});

const HANG_MS = 4_000;
const LINGER_MS = 400;
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms).unref());

class ObeyingRunner implements ModelRunner {
  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    const given = batch.flatMap((item) => [...(item['x']?.data ?? [])]);
    if (given.includes(orders.hang)) await later(HANG_MS);
    if (given.includes(orders.linger)) await later(LINGER_MS);
    return { items: batch.map((item) => this.#resultOf(item)), serviceMs: 1 };
  }

  onLost(): void {}

  async close(): Promise<void> {}

  #resultOf(item: TensorMap): ItemResult {
    const given = [...(item['x']?.data ?? [])];
    if (given.includes(orders.refuse)) return { kind: 'failed', error: new AppError('INVALID_INPUT', 'refused') };
    if (given.includes(orders.fail)) return { kind: 'failed', error: new AppError('STAGE_FAILED', 'failed') };
    const none = { x: { datatype: 'FP32', shape: [], data: Float32Array.of(1) } } as const;
    return { kind: 'ok', output: given.includes(orders.corrupt) ? none : item };
  }
}

/** The pipeline `echo`, which declares no tensors. */
export const echoPipeline: PipelineSpec = {
  name: 'echo',
  baseDir: '.',
  slo: { latencyMs: 60_000, percentile: 99 },
  budget: {},
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [{ name: 'input', to: [stageId('a')], tensors: [] }],
  stages: [stageNamed('a', [variantNamed('v')])],
  edges: [],
  outputs: [{ from: stageId('a') }],
  control: { mode: 'off', intervalMs: 10_000, minDwellMs: 0 },
  admission: { maxQueueLength: 100 },
} as unknown as PipelineSpec;

/** A pipeline with eight replicas. */
export function obeyingPipeline(spec: PipelineSpec): PipelineRunner {
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY });
  for (let i = 0; i < 8; i++) {
    const replica = { replicaId: replicaId(`a-${i}`), variantId: variantId('v'), resources: oneCore };
    runner.addReplica(stageId('a'), { ...replica, runner: new ObeyingRunner() });
  }
  return runner;
}

/** Server of the pipeline `echo`, over REST and gRPC. */
export async function startObeyingServer(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const quiet = { onStageFailure: () => {}, onDefect: () => {} };
  const runners = [obeyingPipeline(echoPipeline)];
  return startServer({ runners, version: '1', port: 0, grpcPort: 0, ...quiet, ...options });
}

/** Launch request for a replica that is a model on a server. */
export function remoteRequest(server: Partial<InferenceServerSpec>, runTimeoutMs = 60_000): LaunchRequest {
  const whole = { urls: ['http://127.0.0.1:1'], model: 'echo', batching: 'stack', ...server } as const;
  return launchRequestOf(stageNamed('remote', [variantNamed('v', { server: whole })], { runTimeoutMs }));
}

/** Proxy to a port that can be cut and restored. */
export class Way {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  #open = true;

  private constructor(server: ReturnType<typeof createServer>, toPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (near: Socket) => this.#join(near, toPort));
  }

  static async to(port: number): Promise<Way> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Way(server, port);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  cut(): void {
    this.#open = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#open = true;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket, toPort: number): void {
    near.on('error', () => {});
    if (!this.#open) {
      near.destroy();
      return;
    }
    const far = connect(toPort, '127.0.0.1');
    far.on('error', () => {});
    this.#sockets.add(near);
    near.on('close', () => {
      this.#sockets.delete(near);
      far.destroy();
    });
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  }
}
