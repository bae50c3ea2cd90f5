/** Figures of a served pair, from servers that answer at once and as told. */
import { fileURLToPath } from 'node:url';
import type { EdgeCount, Plan, Tensor, TensorMap } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { type LabeledObject, loadSamples } from '../../../examples/shelf-scan/evaluate.js';
import { garmentLabels } from '../../../examples/shelf-scan/vision/labels.js';
import { loadSpec } from '../../../packages/app/src/compose/load-spec.js';
import { omittedPlan } from '../../../packages/core/src/model/omission.js';
import { measurePair } from './measure.js';
import type { Answer, PlanServer } from './plan-server.js';

const EXAMPLE = fileURLToPath(new URL('../../../examples/shelf-scan/', import.meta.url));
const spec = await loadSpec(`${EXAMPLE}two-looks.yaml`);
const samples = await loadSamples(`${EXAMPLE}data`);
/** So many that no request waits. */
const ONE_PASS = { arrivalRps: 1e9, passes: 1 };

/** One replica of each stage but `redetect`, which is omitted. */
const stages: Plan['stages'] = Object.fromEntries(
  spec.stages.map((stage) => [stage.id, [{ ...omittedPlan(stage), replicas: stage.id === 'redetect' ? 0 : 1 }]]),
);

/** Finds and classifies all garments of a scene. */
const rightAnswer = (objects: readonly LabeledObject[]): TensorMap => ({
  labels: { datatype: 'BYTES', shape: [objects.length], data: objects.map(({ label }) => garmentLabels[label] ?? '') },
  centers: {
    datatype: 'FP32',
    shape: [objects.length, 2],
    data: Float32Array.from(objects.flatMap(({ x, y }) => [x, y])),
  },
  scores: { datatype: 'FP32', shape: [objects.length], data: new Float32Array(objects.length).fill(1) },
});

const isSameImage = (a: Tensor | undefined, b: Tensor | undefined): boolean =>
  Buffer.compare(a?.data as Uint8Array, b?.data as Uint8Array) === 0;

/** `counts`: of the edges, at the start and at the end of the measurement. */
function serverWith(
  outputsOf: (sample: number) => TensorMap | undefined,
  counts: readonly (readonly EdgeCount[])[] = [[], []],
): PlanServer {
  const left = [...counts];
  const ask = async ({ image }: TensorMap): Promise<Answer> => {
    const sample = samples.findIndex(({ inputs }) => isSameImage(inputs['image'], image));
    return { outputs: outputsOf(sample), latencyMs: 1 };
  };
  return { spec, stages, cpuMs: 1, ask, edges: async () => left.shift() ?? [] } as unknown as PlanServer;
}

const labelOf = (sample: number): readonly LabeledObject[] => samples[sample]?.label ?? [];

it('a failed request misses all garments of its scene', async () => {
  const whole = serverWith((sample) => rightAnswer(labelOf(sample)));
  const failing = serverWith((sample) => (sample % 2 === 0 ? undefined : rightAnswer(labelOf(sample))));
  const { plain, combined } = await measurePair(whole, failing, ONE_PASS);
  const present = samples.reduce((sum, { label }) => sum + label.length, 0);
  const found = samples.reduce((sum, { label }, sample) => sum + (sample % 2) * label.length, 0);
  expect([plain.failed, combined.failed]).toEqual([0, samples.length / 2]);
  expect(plain.accuracy[0]).toBe(1);
  expect(combined.accuracy[0]).toBeCloseTo((2 * found) / (found + present), 9);
});

it('a plan that omits a stage has the served shares of its own edges', async () => {
  const none: EdgeCount = { offered: 0, taken: 0, fanOuts: 0, items: 0 };
  const before = spec.edges.map(() => none);
  const after = spec.edges.map(({ from, to }): EdgeCount => {
    if (from === 'classify' && to === 'reclassify') return { ...none, offered: 100, taken: 25 };
    return from === 'crops' && to === 'classify' ? { ...none, fanOuts: 50, items: 200 } : none;
  });
  const server = serverWith(() => ({}), [before, after]);
  const { plain } = await measurePair(
    server,
    serverWith(() => ({})),
    ONE_PASS,
  );
  expect(plain.shares.map(({ edge, served }) => [edge, served])).toEqual([
    ['crops → classify, items', 4],
    ['classify → reclassify', 0.25],
  ]);
});
