import { pinballLoss, symmetricError } from '../forecast-errors.js';

/** Forecasts and actual peaks, of equal length. */
export interface JudgedForecasts {
  readonly targetsRps: ArrayLike<number>;
  readonly pointsRps: ArrayLike<number>;
  readonly uppersRps: ArrayLike<number>;
}

/** Mean figures; NaN without forecasts. */
export interface ForecastFigures {
  /** Error of point forecasts after rounding to whole requests. */
  readonly smapeFraction: number;
  /** Loss of unrounded quantiles, in rps. */
  readonly pinballLoss: number;
  /** Fraction of peaks that do not exceed the quantile. */
  readonly coverageFraction: number;
}

export function forecastFigures(
  { targetsRps, pointsRps, uppersRps }: JudgedForecasts,
  upperFraction: number,
  positions?: readonly number[],
): ForecastFigures {
  const count = positions?.length ?? targetsRps.length;
  let smape = 0;
  let loss = 0;
  let covered = 0;
  for (let k = 0; k < count; k++) {
    const i = positions?.[k] ?? k;
    const [target, upper] = [targetsRps[i] as number, uppersRps[i] as number];
    smape += symmetricError(target, Math.round(pointsRps[i] as number));
    loss += pinballLoss(target, upper, upperFraction);
    if (target <= upper) covered += 1;
  }
  return { smapeFraction: smape / count, pinballLoss: loss / count, coverageFraction: covered / count };
}
