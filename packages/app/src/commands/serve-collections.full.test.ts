/**
 * Garbage collections of the old generation pause the serving core for tens of milliseconds. Requests hardly add to the
 * old generation. V8 flags of the command prevent needless collections.
 */
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { withEchoServer } from './echo-server.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const command = fileURLToPath(new URL('../../bin/equipoise', import.meta.url));
/** Enough requests to compile hot code, which also fills the old generation. */
const FIRST = 8_000;
const REQUESTS = 58_000;
/** Requests of 200 KB, whose tensors pass between stages, 200 KB whole and 200 KB in items. V8 marks the heap after 64 MB of dropped buffers. */
const [FIRST_LARGE, LARGE] = [500, 2_500];
/** Concurrent requests. */
const CLIENTS = 8;
const inputsOf = (size: number) =>
  ({ x: { datatype: 'FP32', shape: [size], data: Float32Array.from({ length: size }, (_, i) => i / 7) } }) as const;
const COUNTING = `
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) {
  const counts = new Map();
  const count = (entries) => entries.forEach(({ detail: { kind } }) => counts.set(kind, (counts.get(kind) ?? 0) + 1));
  const observer = new PerformanceObserver((list) => count(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  process.on('exit', () => {
    count(observer.takeRecords());
    const of = (kind) => counts.get(kind) ?? 0;
    console.log('collections: ' + of(constants.NODE_PERFORMANCE_GC_MINOR) + ' short, ' + of(constants.NODE_PERFORMANCE_GC_MAJOR) + ' long');
  });
}
`;

it(`collects the old generation at most once in ${REQUESTS - FIRST} requests`, async () => {
  const [fewest, most] = [await collectionsAfter(FIRST), await collectionsAfter(REQUESTS)];
  expect(most.short - fewest.short).toBeGreaterThan(10);
  expect(most.long - fewest.long).toBeLessThanOrEqual(1);
}, 600_000);

it(`collects the old generation at most once in ${LARGE - FIRST_LARGE} requests with large tensors between stages`, async () => {
  const [fewest, most] = [await collectionsAfter(FIRST_LARGE, true), await collectionsAfter(LARGE, true)];
  expect(most.long - fewest.long).toBeLessThanOrEqual(1);
}, 300_000);

/** Garbage collections of the serving thread since its start. */
async function collectionsAfter(
  requests: number,
  enlarges = false,
): Promise<{ readonly short: number; readonly long: number }> {
  folder.write('count-collections.mjs', COUNTING);
  const counting = join(folder.path, 'count-collections.mjs');
  const environment = { NODE_OPTIONS: `--import=${pathToFileURL(counting).href}` };
  const printed = await withEchoServer(
    folder,
    { command, args: [], isolation: 'thread', enlarges, environment },
    async ({ REST }) => {
      const inputs = inputsOf(enlarges ? 50_000 : 256);
      const each = async () => {
        for (let sent = 0; sent < requests / CLIENTS; sent++) await REST.infer('echo', { inputs });
      };
      await Promise.all(Array.from({ length: CLIENTS }, each));
    },
  );
  const [, short, long] = /collections: (\d+) short, (\d+) long/.exec(printed) ?? [];
  return { short: Number(short), long: Number(long) };
}
