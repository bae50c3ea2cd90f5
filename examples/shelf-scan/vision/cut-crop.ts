/**
 * Cuts a square out of a scene and resamples it to 64 x 64: bilinear between pixel centers, edges continued outward.
 * The square is 1.25 times the object's side, so all objects reach the classifier equally large;
 * training/train_classifiers.py uses the same rule.
 */
import type { FoundObject } from './pick-peaks.js';

/** Side of a scene in px. */
export const scenePx = 224;
/** Side of a crop in px. */
export const cropPx = 64;

const context = 1.25;
const lastPixel = scenePx - 1;

/** Writes the crop of `object` into `target` (64 * 64 values); `scene` is [224, 224]. */
export function cutCrop(scene: Float32Array, object: Omit<FoundObject, 'score'>, target: Float32Array): void {
  const columns = samplePoints(object.x, object.sidePx * context);
  const rows = samplePoints(object.y, object.sidePx * context);
  let index = 0;
  for (const row of rows) {
    const above = row.low * scenePx;
    const below = row.high * scenePx;
    for (const column of columns) {
      const top = mix(scene[above + column.low] ?? 0, scene[above + column.high] ?? 0, column.weight);
      const bottom = mix(scene[below + column.low] ?? 0, scene[below + column.high] ?? 0, column.weight);
      target[index++] = mix(top, bottom, row.weight);
    }
  }
}

/** Both pixels around each of the 64 sample points, and the weight of the second. */
function samplePoints(center: number, side: number): { low: number; high: number; weight: number }[] {
  return Array.from({ length: cropPx }, (_, index) => {
    const wanted = center + ((index + 0.5) / cropPx - 0.5) * side - 0.5;
    const position = Math.min(Math.max(wanted, 0), lastPixel);
    const low = Math.floor(position);
    return { low, high: Math.min(low + 1, lastPixel), weight: position - low };
  });
}

function mix(a: number, b: number, weight: number): number {
  return a + (b - a) * weight;
}
