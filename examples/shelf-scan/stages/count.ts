/**
 * Summarizes a scene of k classified garments: `center` [k, 2], `score` [k] and `probabilities` [k, 10] become `counts`
 * INT32 [10], `labels` BYTES [k], `centers` FP32 [k, 2] and `scores` FP32 [k]. An empty scene (k = 0, or missing
 * tensors) has zero counts.
 */
import type { LoadedStage, TensorMap } from '@equipoise/core';
import { garmentLabels } from '../vision/labels.js';
import { float32 } from '../vision/tensors.js';

export function load(): LoadedStage {
  return { run: (batch) => batch.map(count) };
}

function count(item: TensorMap): TensorMap {
  const [scores, centers, probabilities] = ['score', 'center', 'probabilities'].map((name) =>
    item[name] === undefined ? new Float32Array(0) : float32(item, name),
  ) as [Float32Array, Float32Array, Float32Array];
  const classes = garmentLabels.length;
  const counts = new Int32Array(classes);
  const labels: string[] = [];
  for (let index = 0; index < scores.length; index++) {
    const best = mostLikely(probabilities.subarray(index * classes, (index + 1) * classes));
    counts[best] = (counts[best] ?? 0) + 1;
    labels.push(garmentLabels[best] ?? '');
  }
  return {
    counts: { datatype: 'INT32', shape: [classes], data: counts },
    labels: { datatype: 'BYTES', shape: [labels.length], data: labels },
    centers: { datatype: 'FP32', shape: [labels.length, 2], data: centers },
    scores: { datatype: 'FP32', shape: [labels.length], data: scores },
  };
}

function mostLikely(probabilities: Float32Array): number {
  return probabilities.reduce((best, value, index) => (value > (probabilities[best] ?? 0) ? index : best), 0);
}
