/**
 * Pinball loss: fraction·(y − q) for y above the quantile q, otherwise (1 − fraction)·(q − y). Minimal in expectation
 * at the true quantile (Koenker and Bassett 1978).
 */
export function pinballLoss(observed: number, quantile: number, fraction: number): number {
  const above = observed - quantile;
  return above >= 0 ? fraction * above : (fraction - 1) * above;
}

/** |y − f| ÷ ((|y| + |f|) ÷ 2), from 0 to 2; 0 if both are 0. Its mean is the SMAPE. */
export function symmetricError(observed: number, forecast: number): number {
  const size = (Math.abs(observed) + Math.abs(forecast)) / 2;
  return size === 0 ? 0 : Math.abs(observed - forecast) / size;
}
