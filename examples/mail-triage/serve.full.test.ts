/** Serves the example and routes mails over HTTP. */
import { existsSync } from 'node:fs';
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
  name: 'mail-triage',
  missing: 'npm ci --prefix examples/mail-triage',
  isPresent: () => existsSync(`${folder}node_modules/eld`),
};
const resources = { cpuCores: 0.25, memoryBytes: 0, gpus: 0 };

/** The first variant of every stage, one replica each. */
function firstPlan({ stages }: PipelineSpec): Plan {
  const settings = { resources, maxBatchSize: 4, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
  return {
    stages: Object.fromEntries(
      stages.map(({ id, variants }) => [
        id,
        variants.slice(0, 1).map((variant) => ({ ...settings, variantId: variant.id })),
      ]),
    ),
    predicted: { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

describeWithTool(models, 'mail-triage, served', () => {
  let actuator: EmbeddedActuator;
  let server: RunningServer;

  beforeAll(async () => {
    const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
    if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
    const spec = { ...parsed.spec, slo: { latencyMs: 60_000, percentile: 99 } };
    const runner = new PipelineRunner({ spec, hostCores: 2 });
    actuator = new EmbeddedActuator(spec, { pool: runner, launcher: new ThreadReplicaLauncher() });
    for (const change of diffPlans(actuator.runningPlan(), firstPlan(spec), spec)) await actuator.apply(change);
    server = await startServer({ runners: [runner], version: 'test', port: 0 });
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await actuator.close();
  });

  it.each([
    ['an offer', 'Click here for your FREE offer, guaranteed 100%! Lose weight fast and make money at home.', 'junk'],
    ['a question', 'Does anyone see what is wrong with the kernel module? I wrote: > the patch fails to apply', 'en'],
    [
      'a Dutch mail',
      'Een ieder heeft recht op onderwijs; het onderwijs zal kosteloos zijn, althans het lager onderwijs',
      'nl',
    ],
  ])('routes %s', async (_, mail, route) => {
    const response = await fetch(`${server.url}/v1/pipelines/mail-triage/run`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: mail,
    });
    expect([response.status, await response.json()]).toMatchObject([200, { outputs: { route: [route] } }]);
  });
});
