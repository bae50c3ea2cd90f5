/**
 * Pinball loss of a quantile forecast: fraction·(y − q) above it, (1 − fraction)·(q − y) below. Minimal in expectation
 * at the true quantile (Koenker and Bassett 1978). Relative errors of the point reward low forecasts.
 */
export function pinballLoss(observed: number, quantile: number, fraction: number): number {
  const above = observed - quantile;
  return above >= 0 ? fraction * above : (fraction - 1) * above;
}

/**
 * Symmetric relative error |y − f| ÷ ((|y| + |f|) ÷ 2), from 0 to 2; 0 if both are 0. Its mean is the SMAPE of the
 * literature.
 */
export function symmetricError(observed: number, forecast: number): number {
  const size = (Math.abs(observed) + Math.abs(forecast)) / 2;
  return size === 0 ? 0 : Math.abs(observed - forecast) / size;
}
