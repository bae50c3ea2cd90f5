import type { GraphWalk } from './graph-walk.js';
import type { ServingEffects } from './serving-effects.js';
import type { StageLanes } from './stage-lanes.js';

/** Collaborators shared by the parts of one `PipelineScheduler`. */
export interface SchedulerDeps<Payload, Context, Failure> {
  readonly effects: ServingEffects<Payload, Context, Failure>;
  readonly lanes: StageLanes<Payload, Context>;
  readonly walk: GraphWalk<Payload, Context>;
  /** Time of the current call of the scheduler. */
  readonly clock: { readonly nowMs: number };
}
