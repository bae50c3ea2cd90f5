/**
 * Classifies cut-out garments: `crop` FP32 [64, 64] becomes `probabilities` FP32 [10]; `center` and `score` pass
 * through. A batch is one model call, also across scenes.
 */
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import type { LoadableVariant, LoadedStage, Resources, TensorMap } from '@equipoise/core';
import { cropPx } from '../vision/cut-crop.js';
import { garmentLabels } from '../vision/labels.js';
import { artifactOf, float32, stack, tensorOf } from '../vision/tensors.js';

const classes = garmentLabels.length;

/** Loads a classifier with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const model = await loadOnnxModel(artifactOf(variant), { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  return {
    async run(batch) {
      const data = stack(batch.map((item) => float32(item, 'crop')));
      const crop = { datatype: 'FP32', shape: [batch.length, 1, cropPx, cropPx], data } as const;
      const probabilities = float32(await model.run({ crop }), 'probabilities');
      return batch.map((item, index) => classified(item, probabilities.slice(index * classes, (index + 1) * classes)));
    },
    close: () => model.close(),
  };
}

function classified(item: TensorMap, probabilities: Float32Array): TensorMap {
  return {
    center: tensorOf(item, 'center'),
    score: tensorOf(item, 'score'),
    probabilities: { datatype: 'FP32', shape: [classes], data: probabilities },
  };
}
