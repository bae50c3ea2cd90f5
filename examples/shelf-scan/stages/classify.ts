/**
 * Classifies cut-out garments: `crop` FP32 [64, 64] becomes `probabilities` FP32 [10]; all other tensors pass through,
 * with the parameter `keepsCrop` also `crop`. With `mirrored`, the answer is the mean of the crop and its mirror image. A
 * batch is one model call, also across scenes.
 */
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import type { LoadableVariant, LoadedStage, Resources, TensorMap } from '@equipoise/core';
import { cropPx } from '../vision/cut-crop.js';
import { garmentLabels } from '../vision/labels.js';
import { meanOf, mirror } from '../vision/mirror.js';
import { artifactOf, float32, stack } from '../vision/tensors.js';

const classes = garmentLabels.length;

/** Loads a classifier with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const model = await loadOnnxModel(artifactOf(variant), { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  const { keepsCrop = false, mirrored = false } = variant.parameters;
  return {
    async run(batch) {
      const crops = batch.map((item) => float32(item, 'crop'));
      const views = mirrored === true ? [...crops, ...crops.map((crop) => mirror(crop, cropPx))] : crops;
      const crop = { datatype: 'FP32', shape: [views.length, 1, cropPx, cropPx], data: stack(views) } as const;
      const answers = float32(await model.run({ crop }), 'probabilities');
      const answerTo = (view: number) => answers.slice(view * classes, (view + 1) * classes);
      return batch.map((item, index): TensorMap => {
        const { crop: _, ...others } = item;
        const data = mirrored === true ? meanOf(answerTo(index), answerTo(batch.length + index)) : answerTo(index);
        return {
          ...(keepsCrop === true ? item : others),
          probabilities: { datatype: 'FP32', shape: [classes], data },
        };
      });
    },
    close: () => model.close(),
  };
}
