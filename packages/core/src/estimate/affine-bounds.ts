/**
 * Affine bounds of a service curve: the sojourn table only covers affine curves. The bounds are edges of the upper and
 * the lower convex hull of the profiled sizes. Slower service never shortens a wait, so they also bound the sojourn
 * time.
 */
import type { ServiceCurve } from '../profile/service-curves.js';

/** Affine curve, given by the times of one item and of `maxBatchSize` items. */
export interface AffineCurve {
  readonly oneMs: number;
  readonly fullMs: number;
}

/** Upper and lower bounds. An affine curve bounds itself. */
export interface AffineBounds {
  readonly upper: readonly AffineCurve[];
  readonly lower: readonly AffineCurve[];
}

interface Point {
  readonly size: number;
  readonly ms: number;
}

/** Tolerated relative deviation of an affine curve. */
const AFFINE_WITHIN = 0.005;
const LEAST_MS = 1e-6;

function profiledPoints(curve: ServiceCurve, cap: number): readonly Point[] {
  const inner = curve.batchSizes.filter((size) => size > 1 && size < cap);
  return [1, ...inner, ...(cap > 1 ? [cap] : [])].map((size) => ({ size, ms: curve.meanMs(size) }));
}

function hullCorners(points: readonly Point[], side: 1 | -1): readonly Point[] {
  const corners: Point[] = [];
  for (const point of points) {
    for (;;) {
      const [last, before] = [corners.at(-1), corners.at(-2)];
      if (last === undefined || before === undefined) break;
      const turn =
        (last.ms - before.ms) * (point.size - before.size) - (point.ms - before.ms) * (last.size - before.size);
      if (side * turn > 0) break;
      corners.pop();
    }
    corners.push(point);
  }
  return corners;
}

function hullEdges(corners: readonly Point[], cap: number): readonly AffineCurve[] {
  return corners.slice(1).map((to, i) => {
    const from = corners[i] as Point;
    const slope = (to.ms - from.ms) / (to.size - from.size);
    return { oneMs: from.ms - slope * (from.size - 1), fullMs: from.ms + slope * (cap - from.size) };
  });
}

function isAffine(points: readonly Point[], chord: AffineCurve, cap: number): boolean {
  return points.every(({ size, ms }) => {
    const straightMs = chord.oneMs + ((chord.fullMs - chord.oneMs) * (size - 1)) / (cap - 1);
    return Math.abs(ms / straightMs - 1) <= AFFINE_WITHIN;
  });
}

export function affineBounds(curve: ServiceCurve, cap: number): AffineBounds {
  const points = profiledPoints(curve, cap);
  const chord = raiseCurve({ oneMs: curve.meanMs(1), fullMs: curve.meanMs(cap) }, cap);
  if (cap === 1 || isAffine(points, chord, cap)) return { upper: [chord], lower: [] };
  return {
    upper: hullEdges(hullCorners(points, 1), cap).map((edge) => raiseCurve(edge, cap)),
    lower: hullEdges(hullCorners(points, -1), cap).map((edge) => lowerCurve(edge, cap)),
  };
}

const raiseCurve = ({ oneMs, fullMs }: AffineCurve, cap: number): AffineCurve => ({
  oneMs: Math.max(oneMs, fullMs / cap),
  fullMs: Math.max(fullMs, oneMs),
});

const lowerCurve = ({ oneMs, fullMs }: AffineCurve, cap: number): AffineCurve => ({
  oneMs: Math.max(LEAST_MS, Math.min(oneMs, fullMs)),
  fullMs: Math.max(LEAST_MS, Math.min(fullMs, cap * oneMs)),
});
