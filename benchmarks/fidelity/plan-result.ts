import type { PlanCalibration } from '../../packages/app/src/calibrate/calibrate-plan.js';

/** One plan at all its loads. */
export interface PlanResult extends Omit<PlanCalibration, 'measuredSpec'> {
  readonly pipeline: string;
  readonly name: string;
  readonly seconds: number;
  readonly stolenFraction: number;
}

/** A plan with what it was measured on. `machine` has the commit; `scale` below 1: shorter segments than the method asks. */
export interface MeasuredPlan extends PlanResult {
  readonly machine: string;
  readonly scale: number;
}
