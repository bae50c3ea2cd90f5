/** A pipeline served in real time learns its fan-out and restores it after a restart. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { LearnedEdge, TensorMap } from '@equipoise/core/model';
import type { LoopEvent } from '@equipoise/runtime';
import { afterAll, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { type RunningPipeline, startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const ITEMS = 6;
const BETWEEN_REQUESTS_MS = 100;

afterAll(() => folder.remove());

/** A synthetic stage returns its input; the fan-out after it makes an item of each element. */
const inputs = (): TensorMap => ({ x: { datatype: 'FP32', shape: [ITEMS], data: new Float32Array(ITEMS) } });

async function served() {
  const text = syntheticPipeline({
    cpuCores: 4,
    spec: `edges: [{ from: detect, to: classify, fanOut: { expected: 3 } }]
  control: { intervalMs: 1000, fastIntervalMs: 500, canary: false }`,
  });
  const spec = await loadSpec(join(folder.path, folder.write('pipeline.yaml', text)));
  let learned: readonly LearnedEdge[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: 10, policy: 'equipoise', fixed: false, resume: true },
    report: (event: LoopEvent) => {
      if (event.kind === 'decided') learned = event.record.decision.evidence.learnedEdges ?? learned;
    },
  });
  return { pipeline, learned: () => learned };
}

/** Sends requests until an edge is learned, for at most `atMostS`. */
async function loaded(pipeline: RunningPipeline, learned: () => readonly LearnedEdge[], atMostS: number) {
  const answers: Promise<unknown>[] = [];
  for (let sent = 0; sent * BETWEEN_REQUESTS_MS < atMostS * 1000 && learned().length === 0; sent++) {
    answers.push(pipeline.runner.submit(inputs()));
    await setTimeout(BETWEEN_REQUESTS_MS);
  }
  await Promise.all(answers);
}

it('plans by the items that its fan-out gives, after a restart at once', { timeout: 240_000 }, async () => {
  const first = await served();
  await loaded(first.pipeline, first.learned, 150);
  const [edge] = first.learned();
  expect(edge).toMatchObject({ from: 'detect', to: 'classify', kind: 'fan-out', stated: 3 });
  expect(edge?.value).toBeGreaterThan(5);
  expect(edge?.value).toBeLessThan(6.5);
  await first.pipeline.close();
  const again = await served();
  expect(again.pipeline.kept.controller.edges?.inForce).toEqual([edge]);
  await loaded(again.pipeline, again.learned, 8);
  expect(again.learned()).toEqual([edge]);
  await again.pipeline.close();
});
