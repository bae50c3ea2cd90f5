/** Result of `equipoise forecast`. */
import type { ForecastFigures } from '@equipoise/core/forecast';

/** Result of a trial, as `--json` prints it. */
export interface ForecastAnswer {
  readonly selected: string;
  readonly methods: readonly MethodFigures[];
  /** Figures of the rolling selection, with the duration of its steps. */
  readonly inForce: ForecastFigures & { readonly changes: number; readonly stepMs: StepTimes };
  readonly trainBins: number;
  readonly testBins: number;
}

/** One method on the test part. */
interface MethodFigures extends ForecastFigures {
  readonly name: string;
  readonly fitMs: number;
  readonly predictMs: number;
}

/** Scores, selection and next forecasts, over the test part. */
interface StepTimes {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}
