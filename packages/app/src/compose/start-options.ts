/** How a pipeline is started. */
import type { ControlMode, PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import type { LoopEvent, PipelineMonitor, PipelineRunner, StageTypes } from '@equipoise/runtime';

/** How to start. */
export interface StartOptions {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Load to plan for when no plan is kept from before. */
  readonly arrivalRps: number;
  readonly policy: PolicyName;
  /** Keep the first plan. */
  readonly fixed: boolean;
  /** What the loop does; left out, what a person asked for last, or else what the pipeline file says. */
  readonly mode?: ControlMode;
  /** Go on with the last good plan of the store, if it was made for the same pipeline. */
  readonly resume: boolean;
  /** Go on with what was learned and with what a person asked for before; as `resume` when left out. */
  readonly resumeLearned?: boolean;
  /** Name of the file beside the pipeline's profiles that keeps its plan and decisions; `state.db` when left out. */
  readonly stateFile?: string;
  /** Ends a start under way: what has started is closed and `startPipeline` rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly report: (event: LoopEvent) => void;
  /** Takes the ports before anything starts; what it throws ends the start. */
  readonly listen?: (parts: { readonly runner: PipelineRunner; readonly stageTypes: StageTypes }) => Promise<void>;
  /** Told of the control loop from the start on and of requests once the replicas are warm. */
  readonly monitor?: PipelineMonitor;
}
