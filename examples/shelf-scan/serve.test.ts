/** Compares the served example pipeline with direct calls of the same models. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { EmbeddedActuator, ThreadReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import {
  type PipelineSpec,
  type Plan,
  type StageId,
  type StagePlan,
  stackTensors,
  type Tensor,
  type TensorMap,
  unstackTensor,
} from '@equipoise/core/model';
import type { LoadedStage } from '@equipoise/core/ports';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { PipelineRunner, type RunningServer, startServer } from '@equipoise/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as classify from './stages/classify.js';
import * as count from './stages/count.js';
import * as decode from './stages/decode.js';
import * as detect from './stages/detect.js';

const folder = fileURLToPath(new URL('./', import.meta.url));
const scene = new Uint8Array(await readFile(`${folder}samples/scene-003.jpg`));
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
/** Long enough for a machine that is busy with other tests. */
const PATIENT = { latencyMs: 60_000, percentile: 99 };

let spec: PipelineSpec;
let actuator: EmbeddedActuator;
let server: RunningServer;

/** The most accurate variants, one replica each. */
function bestPlan({ stages }: PipelineSpec): Plan {
  const stagePlan = (variants: PipelineSpec['stages'][number]['variants']): StagePlan[] => {
    const variant = variants.at(-1);
    if (variant === undefined) return [];
    return [{ variantId: variant.id, resources, maxBatchSize: 2, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 }];
  };
  return {
    stages: Object.fromEntries(stages.map(({ id, variants }) => [id, stagePlan(variants)])),
    predicted: { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

beforeAll(async () => {
  const parsed = await loadPipelineFile(`${folder}pipeline.yaml`);
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  spec = { ...parsed.spec, slo: PATIENT };
  const runner = new PipelineRunner({ spec, hostCores: 2 });
  actuator = new EmbeddedActuator(spec, { pool: runner, launcher: new ThreadReplicaLauncher() });
  for (const change of diffPlans(actuator.runningPlan(), bestPlan(spec), spec)) await actuator.apply(change);
  server = await startServer({ runners: [runner], version: 'test', port: 0 });
}, 60_000);

afterAll(async () => {
  await server.close();
  await actuator.close();
});

/** Runs the stages one after another, without a data plane. */
async function byHand(image: Tensor): Promise<TensorMap> {
  const loaded = async (module: { load: typeof detect.load }, stage: string): Promise<LoadedStage> => {
    const variant = spec.stages.find(({ id }) => id === (stage as StageId))?.variants.at(-1);
    const artifact = variant?.artifact === undefined ? {} : { artifactPath: `${folder}${variant.artifact}` };
    return module.load({ name: variant?.id ?? '', ...artifact, parameters: {} }, resources);
  };
  const run = async (module: { load: typeof detect.load }, stage: string, items: readonly TensorMap[]) => {
    const replica = await loaded(module, stage);
    const outputs = await replica.run(items);
    await replica.close?.();
    return outputs;
  };
  const [decoded = {}] = await run(decode as never, 'decode', [{ image }]);
  const [found = {}] = await run(detect, 'detect', [decoded]);
  const parts = Object.entries(found).map(([name, tensor]) => [name, unstackTensor(tensor)] as const);
  const items = (parts[0]?.[1] ?? []).map((_, i) =>
    Object.fromEntries(parts.map(([name, tensors]) => [name, tensors[i] as Tensor])),
  );
  const answers = await run(classify, 'classify', items);
  const names = Object.keys(answers[0] ?? {});
  const joined = Object.fromEntries(
    names.map((name) => [name, stackTensors(answers.map((answer) => answer[name] as Tensor))]),
  );
  const [counted = {}] = await run(count as never, 'count', [joined]);
  return counted;
}

const flat = (value: unknown): unknown[] => (Array.isArray(value) ? value.flatMap(flat) : [value]);

/** Elements of an answer in JSON as a client reads them, whose FP32 numbers have nine digits. */
const elements = (value: unknown, like: Tensor['data']): readonly unknown[] =>
  like instanceof Float32Array ? [...Float32Array.from(flat(value) as number[])] : flat(value);

it('answers an image and its tensor as the models do when run by hand', { timeout: 60_000 }, async () => {
  const expected = await byHand({ datatype: 'UINT8', shape: [scene.length], data: scene.slice() });
  const plain = await fetch(`${server.url}/v1/pipelines/shelf-scan/run`, {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: scene,
  });
  const tensor = await fetch(`${server.url}/v2/models/shelf-scan/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [{ name: 'image', datatype: 'UINT8', shape: [scene.length], data: [...scene] }] }),
  });
  expect([plain.status, tensor.status]).toEqual([200, 200]);
  const v1 = (await plain.json()) as { outputs: Record<string, unknown> };
  const v2 = (await tensor.json()) as { outputs: { name: string; data: unknown[] }[] };
  expect(Object.keys(v1.outputs).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, { data }] of Object.entries(expected)) {
    expect(elements(v1.outputs[name], data)).toEqual([...data]);
    expect(elements(v2.outputs.find((output) => output.name === name)?.data, data)).toEqual([...data]);
  }
  expect((expected['labels']?.data ?? []).length).toBeGreaterThan(0);
});

it('refuses what is no image, and serves the next one', { timeout: 60_000 }, async () => {
  const send = (body: Uint8Array) =>
    fetch(`${server.url}/v1/pipelines/shelf-scan/run`, {
      method: 'POST',
      headers: { 'content-type': 'image/jpeg' },
      body,
    });
  const refused = await send(new TextEncoder().encode('no image'));
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({ code: 'INVALID_INPUT', error: expect.stringMatching(/JPEG or PNG/) });
  expect((await send(scene)).status).toBe(200);
});
