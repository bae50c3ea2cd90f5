import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Heartbeat, startHealthPort } from './health-port.js';
import type { RunningProbeServer } from './start-probe-server.js';

const running: RunningProbeServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.close())));

async function start(isReady: () => boolean = () => true, port = 0) {
  const server = await startHealthPort({ host: '127.0.0.1', port }, isReady);
  running.push(server);
  return server;
}

it.each([
  ['at once', 0n, true, true, true],
  ['that is not ready', 0n, false, true, false],
  ['after almost 10 s of silence', 9_999_999_999n, true, true, true],
  ['after 10 s of silence', 10_000_000_000n, true, false, false],
] as const)('a serving thread %s', (_, silenceNs, isReady, live, ready) => {
  const heartbeat = new Heartbeat();
  heartbeat.beat(isReady, 5n);
  const seen = new Heartbeat(heartbeat.shared);
  expect([seen.isLive(5n + silenceNs), seen.isReady(5n + silenceNs)]).toEqual([live, ready]);
});

describe('the health port', () => {
  const statusOf = async (url: string) => (await fetch(url)).status;

  it('keeps little garbage in its thread', async () => {
    const threads: Worker[] = [];
    const note = (thread: Worker) => threads.push(thread);
    process.on('worker', note);
    await start();
    process.off('worker', note);
    expect(threads[0]?.resourceLimits?.maxYoungGenerationSizeMb).toBe(3);
    expect(threads[0]?.resourceLimits?.maxOldGenerationSizeMb).toBe(64);
  });

  it('follows readiness', async () => {
    let isReady = false;
    const { url } = await start(() => isReady);
    expect([await statusOf(`${url}/livez`), await statusOf(`${url}/readyz`)]).toEqual([200, 503]);
    isReady = true;
    await expect.poll(() => statusOf(`${url}/readyz`)).toBe(200);
    expect([await statusOf(`${url}/metrics`), await statusOf(url)]).toEqual([404, 404]);
  });

  it('answers while the serving thread is busy', async () => {
    const { url } = await start();
    const status = new Int32Array(new SharedArrayBuffer(4));
    const client = `const { workerData: { url, status } } = require('node:worker_threads');
      fetch(url).then((answer) => { Atomics.store(status, 0, answer.status); Atomics.notify(status, 0); });`;
    const worker = new Worker(client, { eval: true, execArgv: [], workerData: { url: `${url}/livez`, status } });
    // Nothing else runs in this thread until the answer is there.
    Atomics.wait(status, 0, 0, 10_000);
    expect(status[0]).toBe(200);
    await worker.terminate();
  });

  it('names a port that is taken', async () => {
    const { url } = await start();
    await expect(start(undefined, Number(new URL(url).port))).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});
