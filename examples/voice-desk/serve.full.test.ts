/** Serves the example and sends it a call. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  EmbeddedActuator,
  launcherFor,
  ProcessReplicaLauncher,
  PythonReplicaLauncher,
  ThreadReplicaLauncher,
} from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { PipelineRunner, type RunningServer, startServer } from '@equipoise/runtime';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('./', import.meta.url));
const models: Tool = {
  name: 'voice-desk',
  missing: 'in examples/voice-desk: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt',
  isPresent: () => existsSync(`${folder}.venv/bin/python`),
};
const RUN = '/v1/pipelines/voice-desk/run';

/** The last variant of every stage except `transcribe`, one replica each. */
function planOf({ stages }: PipelineSpec): Plan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const settings = { resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
  return {
    stages: Object.fromEntries(
      stages.map(({ id, variants }) => {
        const variant = variants.find((each) => each.id === 'greedy') ?? variants.at(-1);
        return [id, variant === undefined ? [] : [{ ...settings, variantId: variant.id }]];
      }),
    ),
    predicted: { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

describeWithTool(models, 'voice-desk, served', () => {
  let actuator: EmbeddedActuator;
  let server: RunningServer;

  beforeAll(async () => {
    const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
    if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
    const spec = { ...parsed.spec, slo: { latencyMs: 120_000, percentile: 99 } };
    const runner = new PipelineRunner({ spec, hostCores: 2 });
    const thread = new ThreadReplicaLauncher();
    const launcher = launcherFor({
      thread,
      process: new ProcessReplicaLauncher(),
      python: new PythonReplicaLauncher(),
      synthetic: thread,
      remote: thread,
      command: thread,
    });
    actuator = new EmbeddedActuator(spec, { pool: runner, launcher });
    for (const change of diffPlans(actuator.runningPlan(), planOf(spec), spec)) await actuator.apply(change);
    server = await startServer({ runners: [runner], version: 'test', port: 0 });
  }, 300_000);

  afterAll(async () => {
    await server.close();
    await actuator.close();
  });

  const send = async (body: Uint8Array<ArrayBuffer>) => {
    const headers = { 'content-type': 'audio/ogg' };
    const response = await fetch(`${server.url}${RUN}`, { method: 'POST', headers, body });
    return [response.status, await response.json()];
  };

  it('writes a ticket for a call', async () => {
    const call = new Uint8Array(await readFile(`${folder}data/call-02.ogg`));
    expect(await send(call)).toMatchObject([200, { outputs: { desk: ['support'] } }]);
  });

  it('refuses a file that is no call', async () => {
    const refused = await send(new TextEncoder().encode('no sound'));
    expect(refused).toMatchObject([422, { code: 'INVALID_INPUT' }]);
  });
});
