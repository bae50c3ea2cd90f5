/** Memory of the control loop between steps. */
import { initialLearning, type LoadLearning } from '../forecast/learning/load-learning.js';
import type { EdgeState } from './feedback/edge-feedback.js';
import { noStarts, nothingMeasured, type ServiceState, type StartState } from './feedback/profile-feedback.js';
import type { ChangeMemory, FailureCount } from './guard/change-trial.js';
import type { UnfinishedSearch } from './situation.js';

export interface ControllerState extends ChangeMemory {
  readonly learning: LoadLearning;
  /** Time (ms) since the last training step. */
  readonly savedMs?: number;
  readonly service: ServiceState;
  readonly starts: StartState;
  /** Absent until traffic on edges is counted. */
  readonly edges?: EdgeState | undefined;
  /** Failure counts of the last half minute, oldest first; absent if failures are not counted. */
  readonly failures?: readonly FailureCount[] | undefined;
  /** Search of the last plan, if the work limit stopped it. */
  readonly search?: UnfinishedSearch | undefined;
}

export const newController: ControllerState = {
  learning: initialLearning,
  service: nothingMeasured,
  starts: noStarts,
  appliedAtMs: [],
  switches: [],
};
