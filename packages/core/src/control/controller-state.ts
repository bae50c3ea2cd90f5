/** Memory of the control loop between steps. */
import { initialLearning, type LoadLearning } from '../forecast/learning/load-learning.js';
import type { EdgeState } from './feedback/edge-feedback.js';
import { nothingMeasured, type ServiceState } from './feedback/service-feedback.js';
import type { ChangeMemory, FailureCount } from './guard/change-trial.js';

/** Plain data. */
export interface ControllerState extends ChangeMemory {
  readonly learning: LoadLearning;
  /** Time (ms) for which no training step was taken yet. */
  readonly savedMs?: number;
  readonly service: ServiceState;
  /** Missing until edges are counted. */
  readonly edges?: EdgeState;
  /** Of the last half minute, oldest first; missing where failures are not counted. */
  readonly failures?: readonly FailureCount[];
}

/** A controller before its first step. */
export const newController: ControllerState = {
  learning: initialLearning,
  service: nothingMeasured,
  appliedAtMs: [],
  switches: [],
};
