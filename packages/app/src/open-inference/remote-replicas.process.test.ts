/** Running servers as replicas: the conformance suite over both transports, against our own server. */
import { RemoteReplicaLauncher } from '@equipoise/adapter-open-inference';
import type { TensorMap } from '@equipoise/core/model';
import type { RunningServer } from '@equipoise/runtime';
import { describeModelRunnerConformance } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { orderItem, orders, remoteRequest, startObeyingServer, Way } from './obeying-server.test-support.js';

let server: RunningServer;
const ways: { rest?: Way; grpc?: Way } = {};
const portOf = (address: string) => Number(address.split(':').at(-1));

beforeAll(async () => {
  server = await startObeyingServer();
  ways.rest = await Way.to(portOf(server.url));
  ways.grpc = await Way.to(portOf(server.grpcAddress ?? ''));
});

afterAll(async () => {
  ways.rest?.close();
  ways.grpc?.close();
  await server.close({ timeoutMs: 100 });
});

/** Proxy of a transport; it exists once tests run. */
function wayOf(transport: 'rest' | 'grpc'): Way {
  const way = ways[transport];
  if (way === undefined) throw new Error('the server has started');
  return way;
}

const schemes = { rest: 'http', grpc: 'grpc' } as const;

for (const transport of ['rest', 'grpc'] as const) {
  for (const batching of ['stack', 'single'] as const) {
    /** The address is known when the suite runs, not when it is defined. */
    const serverSpec = {
      get urls() {
        return [`${schemes[transport]}://127.0.0.1:${wayOf(transport).port}`];
      },
      batching,
    };
    describeModelRunnerConformance(`remote replica over ${transport}, ${batching},`, () => ({
      launcher: new RemoteReplicaLauncher({ healthIntervalMs: 100 }),
      echo: remoteRequestOf(serverSpec),
      unstartable: {
        'nothing listens': {
          code: 'MODEL_LOAD_FAILED',
          request: remoteRequest({ urls: [`${schemes[transport]}://127.0.0.1:9`] }),
        },
        'there is no such model': {
          code: 'MODEL_LOAD_FAILED',
          request: remoteRequestOf(serverSpec, { model: 'other' }),
        },
      },
      refusedItem: () => orderItem(orders.refuse),
      ...(batching === 'stack' && {
        failingItem: () => orderItem(orders.fail),
        corruptingItems: { 'a tensor without the leading dimension': () => orderItem(orders.corrupt) },
      }),
      lossesWhileBusy: {
        'its connection breaks': async (runner) => {
          const way = wayOf(transport);
          const running = runner.run([orderItem(orders.linger)]);
          setTimeout(() => way.cut(), 100);
          try {
            return await running;
          } finally {
            way.mend();
          }
        },
      },
      hanging: { request: remoteRequestOf(serverSpec, {}, 500), item: () => orderItem(orders.hang) },
      loseWhileIdle: (runner) => {
        const way = wayOf(transport);
        way.cut();
        runner.onLost(() => way.mend());
      },
      living: () => wayOf(transport).connections,
    }));
  }
}

/** Request that keeps the address getter. */
function remoteRequestOf(spec: object, more: object = {}, runTimeoutMs?: number) {
  const request = remoteRequest({}, runTimeoutMs);
  const server = Object.defineProperties({ model: 'echo' }, Object.getOwnPropertyDescriptors(spec));
  return { ...request, variant: { ...request.variant, server: Object.assign(server, more) as never } };
}

describe('batches of a remote replica', () => {
  async function started(batching: 'stack' | 'single', transport: 'rest' | 'grpc' = 'rest') {
    const urls = [`${schemes[transport]}://127.0.0.1:${wayOf(transport).port}`];
    return (await new RemoteReplicaLauncher().launch(remoteRequest({ urls, batching }))).runner;
  }

  it('are cut where items differ in kind, and keep their order', async () => {
    const runner = await started('stack');
    const item = (length: number): TensorMap => ({
      x: { datatype: 'FP32', shape: [length], data: Float32Array.from({ length }, (_, i) => length * 10 + i) },
    });
    const batch = [item(1), item(2), item(1), item(3), item(2)];
    const { items } = await runner.run(batch);
    expect(items).toEqual(batch.map((output) => ({ kind: 'ok', output })));
    await runner.close();
  });

  it('lose no item to another one of the same kind that is refused', async () => {
    const runner = await started('stack');
    const { items } = await runner.run([orderItem(1), orderItem(orders.refuse), orderItem(2)]);
    expect(items.map(({ kind }) => kind)).toEqual(['ok', 'failed', 'ok']);
    await runner.close();
  });
});

describe('several addresses', () => {
  it('of one name get the replicas in turns', async () => {
    const way = await Way.to(portOf(server.url));
    const names: string[] = [];
    const launcher = new RemoteReplicaLauncher({}, async (name) => {
      names.push(name);
      return ['127.0.0.1', '127.0.0.254'];
    });
    const request = remoteRequest({ urls: [`http://pods:${way.port}`] });
    const { runner } = await launcher.launch(request);
    expect(way.connections).toBe(1);
    // Nothing listens at the second address.
    await expect(launcher.launch(request)).rejects.toThrow(`127.0.0.254:${way.port}`);
    expect(names).toEqual(['pods', 'pods']);
    await runner.close();
    way.close();
  });

  it('get the replicas in turns, and again when replicas are gone', async () => {
    const [a, b] = await Promise.all([Way.to(portOf(server.url)), Way.to(portOf(server.url))]);
    const launcher = new RemoteReplicaLauncher();
    const request = remoteRequest({ urls: [a, b].map(({ port }) => `http://127.0.0.1:${port}`) });
    const launch = async () => (await launcher.launch(request)).runner;
    const first = await launch();
    expect([a.connections, b.connections]).toEqual([1, 0]);
    const second = await launch();
    expect([a.connections, b.connections]).toEqual([1, 1]);
    await first.close();
    await expect.poll(() => a.connections).toBe(0);
    const third = await launch();
    expect([a.connections, b.connections]).toEqual([1, 1]);
    await Promise.all([second.close(), third.close()]);
    a.close();
    b.close();
  });
});
