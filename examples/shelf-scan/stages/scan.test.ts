import { fileURLToPath } from 'node:url';
import type { LoadedStage, Tensor, TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { loadSamples, score } from '../evaluate.js';
import { cropPx } from '../vision/cut-crop.js';
import { mirror } from '../vision/mirror.js';
import * as classify from './classify.js';
import * as count from './count.js';
import * as decode from './decode.js';
import * as detect from './detect.js';

const resources = { cpuCores: 1, memoryBytes: 200_000_000, gpus: 0 };
const samples = await loadSamples(fileURLToPath(new URL('../data', import.meta.url)));

function variant(stage: string, name: string, parameters: Readonly<Record<string, boolean>> = {}) {
  const artifactPath = fileURLToPath(new URL(`../models/${stage}-${name}.onnx`, import.meta.url));
  return { name, artifactPath, parameters };
}

/** Item `index` of a fan-out, as the runtime cuts it out of dimension 0. */
function itemOf(tensors: TensorMap, index: number): TensorMap {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { datatype, shape, data }]): [string, Tensor] => {
      const size = shape.slice(1).reduce((a, b) => a * b, 1);
      const part = (data as Float32Array).subarray(index * size, (index + 1) * size);
      return [name, { datatype, shape: shape.slice(1), data: part }];
    }),
  );
}

/** Items of a join, stacked along a new first dimension. */
function joined(items: readonly TensorMap[]): TensorMap {
  return Object.fromEntries(
    Object.keys(items[0] ?? {}).map((name): [string, Tensor] => {
      const parts = items.map((item) => item[name] as Tensor);
      const data = Float32Array.from(parts.flatMap((part) => [...(part.data as Float32Array)]));
      return [name, { datatype: 'FP32', shape: [items.length, ...(parts[0]?.shape ?? [])], data }];
    }),
  );
}

const objectCount = (found: TensorMap): number => found['score']?.shape[0] ?? 0;
const itemsOf = (found: TensorMap): TensorMap[] =>
  Array.from({ length: objectCount(found) }, (_, i) => itemOf(found, i));

async function scan(detector: LoadedStage, classifier: LoadedStage, inputs: TensorMap): Promise<TensorMap> {
  const scenes = await decode.load().run([inputs]);
  const [found] = await detector.run(scenes);
  const items = itemsOf(found ?? {});
  const classified = items.length === 0 ? [] : await classifier.run(items);
  return (await count.load().run([joined(classified)]))[0] ?? {};
}

describe('shelf-scan', () => {
  it.each([
    ['xs', 'xs', 0.3, 0.65],
    ['m', 'm', 0.7, 0.95],
    ['l1', 'l1', 0.75, 1],
    ['l', 'l', 0.75, 1],
  ] as const)(
    'detect-%s with classify-%s: F1 of the first scenes in %d…%d',
    async (detector, classifier, low, high) => {
      const stages = [
        await detect.load(variant('detect', detector), resources),
        await classify.load(variant('classify', classifier), resources),
      ] as const;
      const answered = [];
      for (const { inputs, label } of samples.slice(0, 30))
        answered.push({ outputs: await scan(...stages, inputs), label });
      expect(score(answered)).toBeGreaterThan(low);
      expect(score(answered)).toBeLessThan(high);
      for (const stage of stages) await stage.close?.();
    },
  );

  it.each<[string, Readonly<Record<string, boolean>>]>([
    ['xs', {}],
    ['s', {}],
    ['m', {}],
    ['m', { mirrored: true }],
    ['l1', {}],
    ['l', {}],
  ])('detect and classify %s %j give each item the same answer in every batch', async (name, parameters) => {
    const detector = await detect.load(variant('detect', name, parameters), resources);
    const classifier = await classify.load(variant('classify', name, parameters), resources);
    const scenes = await decode.load().run(samples.slice(0, 3).map(({ inputs }) => inputs));
    const together = await detector.run(scenes);
    for (const [index, scene] of scenes.entries()) expect((await detector.run([scene]))[0]).toEqual(together[index]);
    const items = together.flatMap(itemsOf);
    const all = await classifier.run(items);
    for (const [index, item] of items.entries()) expect((await classifier.run([item]))[0]).toEqual(all[index]);
    await detector.close?.();
    await classifier.close?.();
  });

  it('a mirrored detect l1 is detect l, which averages the same two views', async () => {
    const twoViews = await detect.load(variant('detect', 'l1', { mirrored: true }), resources);
    const large = await detect.load(variant('detect', 'l'), resources);
    const scenes = await decode.load().run(samples.slice(0, 5).map(({ inputs }) => inputs));
    const [mirrored, expected] = [await twoViews.run(scenes), await large.run(scenes)];
    for (const [index, found] of expected.entries())
      for (const name of ['center', 'score']) {
        const [mean, whole] = [mirrored[index], found].map((each) => [...(each?.[name]?.data ?? [])].map(Number));
        expect(mean).toHaveLength(whole?.length ?? 0);
        for (const [i, value] of (mean ?? []).entries()) expect(value).toBeCloseTo(whole?.[i] ?? 0, 3);
      }
    await twoViews.close?.();
    await large.close?.();
  });

  it('a mirrored classify gives a crop and its mirror image the same answer', async () => {
    const classifier = await classify.load(variant('classify', 'm', { mirrored: true }), resources);
    const detector = await detect.load(variant('detect', 'm'), resources);
    const scenes = await decode.load().run(samples.slice(0, 3).map(({ inputs }) => inputs));
    const crops = (await detector.run(scenes)).flatMap(itemsOf);
    const images = crops.map((item): TensorMap => {
      const crop = item['crop'] as Tensor;
      return { ...item, crop: { ...crop, data: mirror(crop.data as Float32Array, cropPx) } };
    });
    expect(await classifier.run(images)).toEqual(await classifier.run(crops));
    await detector.close?.();
    await classifier.close?.();
  });

  it('fans out nothing on an empty shelf', async () => {
    const detector = await detect.load(variant('detect', 's'), resources);
    const empty: Tensor = { datatype: 'FP32', shape: [224, 224], data: new Float32Array(224 * 224).fill(-0.5) };
    const [found] = await detector.run([{ image: empty }]);
    expect(found?.['crop']?.shape).toEqual([0, 64, 64]);
    expect(found?.['center']?.shape).toEqual([0, 2]);
    expect(found?.['score']?.shape).toEqual([0]);
    await detector.close?.();
  });

  it('names what is missing', async () => {
    const detector = await detect.load(variant('detect', 'xs'), resources);
    await expect(detector.run([{}])).rejects.toMatchObject({ code: 'STAGE_FAILED' });
    await detector.close?.();
    await expect(detect.load({ name: 'bare', parameters: {} }, resources)).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
    });
  });
});
