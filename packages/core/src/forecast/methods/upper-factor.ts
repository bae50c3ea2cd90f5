/**
 * Quantile factor of a point forecast: the c with the least pinball loss of c·p. The loss slope Σ p·(1[y < c·p] −
 * fraction) is monotone in c, so bisection finds its zero: the quantile of y ÷ p weighted by p.
 */

/** Arrays of equal length. */
export interface PointsAndTargets {
  readonly pointsRps: ArrayLike<number>;
  readonly targetsRps: ArrayLike<number>;
}

const HALVINGS = 40;

/** The factor; 1 if no point is positive. */
export function quantileFactor({ pointsRps, targetsRps }: PointsAndTargets, fraction: number): number {
  let weight = 0;
  for (let i = 0; i < pointsRps.length; i++) weight += Math.max(0, pointsRps[i] as number);
  if (weight === 0) return 1;
  let low = 0;
  let high = 1;
  // Not from the largest ratio: behind a gap points near 0 give huge ratios.
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
