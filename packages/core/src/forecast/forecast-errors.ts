/**
 * How far a quantile forecast is off: fraction·(y − q) above it, (1 − fraction)·(q − y) below. Its expectation is least at the true
 * quantile (Koenker and Bassett 1978), so a method cannot win by being bold or timid; relative errors of the point reward forecasts
 * that are too low.
 */
export function pinballLoss(observed: number, quantile: number, fraction: number): number {
  const above = observed - quantile;
  return above >= 0 ? fraction * above : (fraction - 1) * above;
}

/**
 * The symmetric relative error |y − f| ÷ ((|y| + |f|) ÷ 2), between 0 and 2, and 0 where both are 0; its mean over many forecasts is the
 * SMAPE, as the literature reports it.
 */
export function symmetricError(observed: number, forecast: number): number {
  const size = (Math.abs(observed) + Math.abs(forecast)) / 2;
  return size === 0 ? 0 : Math.abs(observed - forecast) / size;
}
