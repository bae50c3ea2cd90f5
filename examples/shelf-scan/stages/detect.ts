/**
 * Finds and cuts out garments. `image` FP32 [224, 224] becomes, for k garments, `crop` FP32 [k, 64, 64], `center` FP32
 * [k, 2] (x, y in px) and `score` FP32 [k], best first; the parameter `keepsImage` keeps `image`, too. With `mirrored`,
 * the answer is the mean of the scene and its mirror image. All variants get the full scene and shrink it; crops have the
 * input size of the largest classifier.
 */
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import type { LoadableVariant, LoadedStage, Resources, TensorMap } from '@equipoise/core';
import { cropPx, cutCrop, scenePx } from '../vision/cut-crop.js';
import { meanOf, mirror, mirrorCells } from '../vision/mirror.js';
import { pickPeaks } from '../vision/pick-peaks.js';
import { artifactOf, float32, stack, tensorOf } from '../vision/tensors.js';

/** Loads a detector with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const model = await loadOnnxModel(artifactOf(variant), { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  const { keepsImage = false, mirrored = false } = variant.parameters;
  return {
    async run(batch) {
      const scenes = batch.map((item) => float32(item, 'image'));
      const views = mirrored === true ? [...scenes, ...scenes.map((scene) => mirror(scene, scenePx))] : scenes;
      const image = { datatype: 'FP32', shape: [views.length, 1, scenePx, scenePx], data: stack(views) } as const;
      const cells = float32(await model.run({ image }), 'cells');
      const size = cells.length / views.length;
      const cellsOf = (view: number) => cells.subarray(view * size, (view + 1) * size);
      return batch.map((item, index): TensorMap => {
        const own = cellsOf(index);
        const mean = mirrored === true ? meanOf(own, mirrorCells(cellsOf(batch.length + index))) : own;
        const found = cutOut(scenes[index] as Float32Array, mean);
        return keepsImage === true ? { ...found, image: tensorOf(item, 'image') } : found;
      });
    },
    close: () => model.close(),
  };
}

function cutOut(scene: Float32Array, cells: Float32Array): TensorMap {
  const objects = pickPeaks(cells);
  const count = objects.length;
  const crop = new Float32Array(count * cropPx * cropPx);
  for (const [index, object] of objects.entries()) {
    cutCrop(scene, object, crop.subarray(index * cropPx * cropPx, (index + 1) * cropPx * cropPx));
  }
  return {
    crop: { datatype: 'FP32', shape: [count, cropPx, cropPx], data: crop },
    center: { datatype: 'FP32', shape: [count, 2], data: Float32Array.from(objects.flatMap(({ x, y }) => [x, y])) },
    score: { datatype: 'FP32', shape: [count], data: Float32Array.from(objects, ({ score }) => score) },
  };
}
