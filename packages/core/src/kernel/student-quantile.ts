/** Quantile of Student's t (Hill 1970, Algorithm 396 of the ACM); relative error below 1e-6. */
import { normalQuantile } from './normal-quantile.js';

/** t with P(T ≤ t) = `fraction`, which is above 0.5. Infinity for fewer than one degree of freedom. */
export function studentQuantile(fraction: number, degrees: number): number {
  if (degrees < 1) return Number.POSITIVE_INFINITY;
  if (degrees === Number.POSITIVE_INFINITY) return normalQuantile(fraction);
  const both = 2 * (1 - fraction);
  if (degrees === 1) return 1 / Math.tan((Math.PI * both) / 2);
  if (degrees === 2) return Math.sqrt(2 / (both * (2 - both)) - 2);
  return Math.sqrt(degrees * squareByDegree(both, degrees));
}

/** t² ÷ degrees, for 3 and more of them. `both`: probability of both tails. */
function squareByDegree(both: number, n: number): number {
  const a = 1 / (n - 0.5);
  const b = 48 / a ** 2;
  let c = (((20_700 * a) / b - 98) * a - 16) * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * n;
  const y = (d * both) ** (2 / n);
  if (y <= 0.05 + a)
    return (
      ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * ((n + 1) / (n + 2)) +
      1 / y
    );
  const z = normalQuantile(both / 2);
  if (n < 5) c += 0.3 * (n - 4.5) * (z + 0.6);
  c = (((0.05 * d * z - 5) * z - 7) * z - 2) * z + b + c;
  const squares = z ** 2;
  const root = (((((0.4 * squares + 6.3) * squares + 36) * squares + 94.5) / c - squares - 3) / b + 1) * z;
  return Math.expm1(a * root ** 2);
}
