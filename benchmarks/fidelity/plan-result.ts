import type { PlanCalibration } from '../../packages/app/src/calibrate/calibrate-plan.js';

/** One plan at all its loads. */
export interface PlanResult extends Omit<PlanCalibration, 'measuredSpec'> {
  readonly pipeline: string;
  readonly name: string;
  readonly seconds: number;
  readonly stolenFraction: number;
}
