/**
 * Classifies cut-out garments: `crop` FP32 [64, 64] becomes `probabilities` FP32 [10]; `center` and `score` pass
 * through, with the parameter `keepsCrop` also `crop`. A batch is one model call, also across scenes.
 */
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import type { LoadableVariant, LoadedStage, Resources } from '@equipoise/core';
import { cropPx } from '../vision/cut-crop.js';
import { garmentLabels } from '../vision/labels.js';
import { artifactOf, float32, stack, tensorOf } from '../vision/tensors.js';

const classes = garmentLabels.length;

/** Loads a classifier with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const model = await loadOnnxModel(artifactOf(variant), { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  const kept = variant.parameters['keepsCrop'] === true ? ['center', 'score', 'crop'] : ['center', 'score'];
  return {
    async run(batch) {
      const data = stack(batch.map((item) => float32(item, 'crop')));
      const crop = { datatype: 'FP32', shape: [batch.length, 1, cropPx, cropPx], data } as const;
      const probabilities = float32(await model.run({ crop }), 'probabilities');
      return batch.map((item, index) => ({
        ...Object.fromEntries(kept.map((name) => [name, tensorOf(item, name)])),
        probabilities: {
          datatype: 'FP32',
          shape: [classes],
          data: probabilities.slice(index * classes, (index + 1) * classes),
        },
      }));
    },
    close: () => model.close(),
  };
}
