/** What `equipoise forecast` answers. */
import type { ForecastFigures } from '@equipoise/core/forecast';

/** What a trial found out, as `--json` prints it. */
export interface ForecastAnswer {
  readonly selected: string;
  readonly methods: readonly MethodFigures[];
  /** Of what the rolling selection foretold, with the time of one step of it. */
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

/** Scores, selection and the next forecasts, over the test part. */
interface StepTimes {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}
