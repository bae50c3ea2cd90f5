/**
 * Factor c on point forecasts p that minimizes the pinball loss of c·p. The loss slope Σ p·(1[y < c·p] − fraction) is
 * monotone in c, so bisection finds its zero.
 */

/** Arrays of equal length. */
export interface PointsAndTargets {
  readonly pointsRps: ArrayLike<number>;
  readonly targetsRps: ArrayLike<number>;
}

const HALVINGS = 40;

/** 1 if no point is positive. */
export function quantileFactor({ pointsRps, targetsRps }: PointsAndTargets, fraction: number): number {
  let weight = 0;
  for (let i = 0; i < pointsRps.length; i++) weight += Math.max(0, pointsRps[i] as number);
  if (weight === 0) return 1;
  let low = 0;
  let high = 1;
  // The largest ratio may be huge, because points are near 0 after a gap.
  while (weightUpTo(high, { pointsRps, targetsRps }) < fraction * weight) {
    low = high;
    high *= 2;
  }
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (weightUpTo(middle, { pointsRps, targetsRps }) < fraction * weight) low = middle;
    else high = middle;
  }
  return high;
}

function weightUpTo(factor: number, { pointsRps, targetsRps }: PointsAndTargets): number {
  let weight = 0;
  for (let i = 0; i < pointsRps.length; i++) {
    const point = pointsRps[i] as number;
    if (point > 0 && (targetsRps[i] as number) <= factor * point) weight += point;
  }
  return weight;
}
