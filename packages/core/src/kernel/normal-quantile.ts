/**
 * Rational approximation of the normal quantile (Acklam 2003); relative error below 1.2e-9. It is monotone, as common
 * random numbers require.
 */

const SPLIT = 0.02425;

function tail(q: number): number {
  const top =
    ((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
    2.938163982698783;
  const bottom =
    (((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1;
  return top / bottom;
}

/** z with P(N(0,1) ≤ z) = `fraction`. −Infinity at 0, Infinity at 1. */
export function normalQuantile(fraction: number): number {
  if (fraction <= 0) return Number.NEGATIVE_INFINITY;
  if (fraction >= 1) return Number.POSITIVE_INFINITY;
  if (fraction < SPLIT) return tail(Math.sqrt(-2 * Math.log(fraction)));
  if (fraction > 1 - SPLIT) return -tail(Math.sqrt(-2 * Math.log(1 - fraction)));
  const q = fraction - 0.5;
  const r = q * q;
  const top =
    ((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r + 1.38357751867269e2) * r -
      3.066479806614716e1) *
      r +
    2.506628277459239;
  const bottom =
    ((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r + 6.680131188771972e1) * r -
      1.328068155288572e1) *
      r +
    1;
  return (q * top) / bottom;
}

/** P(N(0,1) ≤ z), to 1.5e-7 (Abramowitz and Stegun 7.1.26). */
export function normalFraction(z: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const above = (sum * Math.exp((-z * z) / 2)) / 2;
  return z < 0 ? above : 1 - above;
}
