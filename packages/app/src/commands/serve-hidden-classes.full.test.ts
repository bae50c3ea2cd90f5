/**
 * Object literals that begin with a spread, later changes of the prototype and other patterns give each object its own
 * hidden class. Such a class is allocated in the old generation and keeps its object alive. Then long collections run
 * every second, with pauses of 10 to 30 ms. This test reads the engine's log: requests must create no hidden classes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BIN, TestFolder } from '../equipoise.test-support.js';
import { withEchoServer } from './echo-server.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const FEW = 100;
const MANY = 1100;
const inputs = { x: { datatype: 'FP32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } } as const;

describe('a request', () => {
  it.each([
    ['REST', 'thread'],
    ['gRPC', 'thread'],
    ['REST', 'process'],
  ] as const)('over %s to a replica that is a %s makes no hidden class', async (protocol, isolation) => {
    const few = await hiddenClassesAfter(FEW, { protocol, isolation });
    const many = await hiddenClassesAfter(MANY, { protocol, isolation });
    const made = [...many].filter(([place, count]) => count - (few.get(place) ?? 0) > (MANY - FEW) / 2);
    expect(made).toEqual([]);
  });
});

/**
 * Number of hidden classes of a server after `requests` over one connection, by kind and code position. Other threads,
 * which may not start in every run, create a few hundred classes of a kind.
 */
async function hiddenClassesAfter(
  requests: number,
  { protocol, isolation }: { readonly protocol: 'REST' | 'gRPC'; readonly isolation: string },
): Promise<ReadonlyMap<string, number>> {
  const log = join(folder.path, `maps-${protocol}-${isolation}-${requests}.log`);
  const flags = ['--max-semi-space-size=64', '--log-maps', `--logfile=${log}`, '--no-logfile-per-isolate'];
  await withEchoServer(folder, { command: process.execPath, args: [...flags, BIN], isolation }, async (clients) => {
    for (let sent = 0; sent < requests; sent++) await clients[protocol].infer('echo', { inputs });
  });
  const counts = new Map<string, number>();
  for (const line of readFileSync(log, 'latin1').split('\n')) {
    const [event, kind, , , , , ...place] = line.split(',');
    if (event !== 'map') continue;
    const key = [kind, ...place].join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
