/** Serves the example: one stage in a JavaScript process, then one in Python. */
import { spawnSync } from 'node:child_process';
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
const python: Tool = {
  name: 'python',
  missing: 'install Python 3',
  isPresent: () => spawnSync('python3', ['--version']).status === 0,
};
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

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

describeWithTool(python, 'the example with a stage in Python', () => {
  let actuator: EmbeddedActuator;
  let server: RunningServer;

  beforeAll(async () => {
    const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
    if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
    const spec = { ...parsed.spec, slo: { latencyMs: 60_000, percentile: 99 } };
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
    for (const change of diffPlans(actuator.runningPlan(), firstPlan(spec), spec)) await actuator.apply(change);
    server = await startServer({ runners: [runner], version: 'test', port: 0 });
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await actuator.close();
  });

  it.each([
    ['The food was great', 1, 4],
    ['not good', -1, 2],
    ['', 0, 0],
  ])('rates "%s"', async (text, mood, count) => {
    const response = await fetch(`${server.url}/v2/models/mood/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [text] }] }),
    });
    expect(response.status).toBe(200);
    const { outputs } = (await response.json()) as { outputs: { name: string; data: unknown[] }[] };
    expect(Object.fromEntries(outputs.map(({ name, data }) => [name, data[0]]))).toEqual({ mood, count });
  });
});
