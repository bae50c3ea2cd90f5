import type { Plan } from '@equipoise/core/model';
import type { PlanCalibration } from './calibrate-plan.js';
import type { VariantCorrection } from './compared-loads.js';
import type { MachineUse } from './machine-use.js';
import type { Trust } from './trust.js';

/** Result for programs. `stored` is false if nothing was stored: a dry run, or no variant with a measured profile. */
export interface CalibrationDocument {
  readonly plans: readonly (Omit<PlanCalibration, 'measuredSpec' | 'corrections'> & {
    readonly stages: Plan['stages'];
  })[];
  readonly corrections: readonly VariantCorrection[];
  readonly trust: Trust;
  readonly stored: boolean;
  /** Before the first load. */
  readonly machine: MachineUse;
}
