/** How good forecasts were, in the figures that the literature and the planner look at. */
import { pinballLoss, symmetricError } from '../forecast-errors.js';

/** Forecasts with the peaks that came, all of one length. */
export interface JudgedForecasts {
  readonly targetsRps: ArrayLike<number>;
  readonly pointsRps: ArrayLike<number>;
  readonly uppersRps: ArrayLike<number>;
}

/** Means over the forecasts; NaN without any. */
export interface ForecastFigures {
  /** Of the point forecasts, rounded to whole requests as counts are. */
  readonly smapeFraction: number;
  /** Of the quantiles as they are, in rps. */
  readonly pinballLoss: number;
  /** How often the peak was no higher than the quantile. */
  readonly coverageFraction: number;
}

/** Judges all forecasts, or those at the given positions. */
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
