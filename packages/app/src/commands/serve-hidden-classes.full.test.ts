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

const FEW = 300;
const MANY = 1300;
const stage = 'export const load = () => ({ run: (batch) => batch });\n';
const profile = [1, 4].map((batchSize) => ({ cpuCores: 0.25, batchSize, meanMs: 0.2 }));
const pipeline = {
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
        module: './stage.mjs',
        variants: [{ name: 'only', resources: { cpuCores: 0.25 }, profile }],
      },
    ],
  },
};
const inputs = { x: { datatype: 'FP32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } } as const;

describe('a request', () => {
  it.each(['REST', 'gRPC'])('over %s makes no hidden class', async (protocol) => {
    const few = await hiddenClassesAfter(FEW, protocol);
    const many = await hiddenClassesAfter(MANY, protocol);
    // Optimized code that is thrown away makes a few.
    expect((many - few) / (MANY - FEW)).toBeLessThan(0.3);
  });
});

/** Hidden classes that a server has made when it ends, after so many requests over one connection. */
async function hiddenClassesAfter(requests: number, protocol: string): Promise<number> {
  folder.write('stage.mjs', stage);
  folder.write('pipeline.yaml', JSON.stringify(pipeline));
  const log = join(folder.path, `maps-${protocol}-${requests}.log`);
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
  return readFileSync(log, 'latin1').split('\nmap,').length;
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
