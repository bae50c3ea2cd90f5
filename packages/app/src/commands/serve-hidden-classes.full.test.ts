/**
 * An object literal that begins with a spread, a prototype that is set later and much else give each object a hidden class of its own. Such
 * a class is old from its birth and holds what it describes, so that every request outlives the short collections and the long ones come
 * every second: pauses of 10 to 30 ms. The engine logs its hidden classes; a request makes none.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openInferenceClient } from '@equipoise/adapter-open-inference';
import { afterAll, describe, expect, it } from 'vitest';
import { BIN, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const FEW = 100;
const MANY = 1100;
const stage = 'export const load = () => ({ run: (batch) => batch });\n';
const profile = [1, 4].map((batchSize) => ({ cpuCores: 0.25, batchSize, meanMs: 0.2 }));
const pipelineOf = (isolation: string) => ({
  apiVersion: 'equipoise.dev/v1alpha1',
  kind: 'InferencePipeline',
  metadata: { name: 'echo' },
  spec: {
    slo: { latencyMs: 5000 },
    control: { mode: 'off' },
    stages: [
      {
        name: 'only',
        kind: 'transform',
        isolation,
        module: './stage.mjs',
        variants: [{ name: 'only', resources: { cpuCores: 0.25 }, profile }],
      },
    ],
  },
});
const inputs = { x: { datatype: 'FP32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } } as const;

describe('a request', () => {
  it.each([
    ['REST', 'thread'],
    ['gRPC', 'thread'],
    ['REST', 'process'],
  ])('over %s to a replica that is a %s makes no hidden class', async (protocol, isolation) => {
    const few = await hiddenClassesAfter(FEW, { protocol, isolation });
    const many = await hiddenClassesAfter(MANY, { protocol, isolation });
    const made = [...many].filter(([place, count]) => count - (few.get(place) ?? 0) > (MANY - FEW) / 2);
    expect(made).toEqual([]);
  });
});

/**
 * How many hidden classes a server has made when it ends, after so many requests over one connection, by kind and place in its file: an
 * engine of another thread, which it may start or not, makes a few hundred of a kind.
 */
async function hiddenClassesAfter(
  requests: number,
  { protocol, isolation }: { readonly protocol: string; readonly isolation: string },
): Promise<ReadonlyMap<string, number>> {
  folder.write('stage.mjs', stage);
  folder.write('pipeline.yaml', JSON.stringify(pipelineOf(isolation)));
  const log = join(folder.path, `maps-${protocol}-${isolation}-${requests}.log`);
  const flags = ['--max-semi-space-size=64', '--log-maps', `--logfile=${log}`, '--no-logfile-per-isolate'];
  const server = ['serve', 'pipeline.yaml', '--port', '0', '--grpc-port', '0', '--arrival-rps', '5'];
  const child = spawn(process.execPath, [...flags, BIN, ...server], {
    cwd: folder.path,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const [, grpc, rest = ''] = await said(child.stderr, /gRPC on (\S+):[\s\S]*ready (http\S+)/);
    const client = openInferenceClient(protocol === 'gRPC' ? `grpc://${grpc}` : rest);
    for (let sent = 0; sent < requests; sent++) await client.infer('echo', { inputs });
    client.close();
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  const counts = new Map<string, number>();
  for (const line of readFileSync(log, 'latin1').split('\n')) {
    const [event, kind, , , , , ...place] = line.split(',');
    if (event !== 'map') continue;
    const key = [kind, ...place].join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

async function said(output: NodeJS.ReadableStream, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  for await (const chunk of output) {
    text += String(chunk);
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  throw new Error(`The server did not say ${String(pattern)}:\n${text}`);
}
