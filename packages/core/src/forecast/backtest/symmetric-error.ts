/**
 * The symmetric relative error |y − f| ÷ ((|y| + |f|) ÷ 2), between 0 and 2, and 0 where both are 0; its mean over many forecasts is the
 * SMAPE, as the literature reports it.
 */
export function symmetricError(observed: number, forecast: number): number {
  const size = (Math.abs(observed) + Math.abs(forecast)) / 2;
  return size === 0 ? 0 : Math.abs(observed - forecast) / size;
}
