import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stageId, type TensorMap } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PipelineRunner } from '../../data-plane/pipeline-runner.js';
import { fp32, ScriptedRunner, serve, servingSpec } from '../../data-plane/serving-bench.test-support.js';
import { type RunningServer, startServer } from '../start-server.js';
import { restRoutes } from './rest-routes.js';

const root = fileURLToPath(new URL('../../../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/reference/http-api.md'), 'utf8');

interface Example {
  readonly command: string;
  readonly answer: unknown;
}

/** Each shell block with the JSON block after it, in page order. */
const examples = [...page.matchAll(/```sh\n((?:(?!```).)*)```\n\n```json\n(.*?)```/gs)].map(
  ([, command = '', json = '']): Example => ({ command, answer: JSON.parse(json) }),
);

describe('docs/reference/http-api.md', () => {
  it('has every route', () => {
    for (const { method, path } of restRoutes('1')) expect(page).toContain(`\`${method} ${path}\``);
  });
});

const curl = {
  name: 'curl',
  missing: 'install curl',
  isPresent: () => (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'curl'))),
};

/** Output of the example for its first sample. */
const found: TensorMap = {
  counts: { datatype: 'INT32', shape: [10], data: Int32Array.of(0, 1, 0, 0, 0, 0, 0, 0, 1, 0) },
  labels: { datatype: 'BYTES', shape: [2], data: ['trouser', 'bag'] },
  centers: fp32([2, 2], 96.51525, 75.46248, 198.7492, 128.1285),
  scores: fp32([2], 0.8578757, 0.7727433),
};

describeWithTool(curl, 'the examples of docs/reference/http-api.md', () => {
  let server: RunningServer;

  beforeAll(async () => {
    const tensors = [
      { name: 'image', datatype: 'UINT8' as const, shape: [-1], contentTypes: ['image/jpeg', 'image/png'] },
    ];
    const sources = [{ name: 'image', to: [stageId('scan')], tensors }];
    const feedback = { maxRequests: 10, maxAgeMs: 60_000 };
    const spec = servingSpec(['scan'], { name: 'shelf-scan', sources, feedback });
    const runner = new PipelineRunner({ spec, hostCores: 1 });
    serve(
      runner,
      'scan',
      new ScriptedRunner(
        () => found,
        async () => {},
      ),
    );
    server = await startServer({ runners: [runner], version: '1', port: 0 });
  });

  afterAll(() => server.close({ timeoutMs: 100 }));

  it('are answered as the page says', async () => {
    expect(examples.length).toBeGreaterThan(3);
    for (const { command, answer } of examples) {
      const script = command.replaceAll('http://127.0.0.1:8080', server.url);
      const { stdout } = await promisify(execFile)('sh', ['-c', script], { cwd: root });
      expect(steady(JSON.parse(stdout))).toEqual(steady(answer));
    }
  });
});

/** Removes the parts that differ between runs. */
function steady(answer: unknown): unknown {
  const { latencyMs: _latency, variants: _variants, ...rest } = answer as Readonly<Record<string, unknown>>;
  return typeof rest['id'] === 'string' && rest['id'].length === 36 ? { ...rest, id: 'made by the server' } : rest;
}
