import type { ControlMode, PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import type { LoopEvent, PipelineMonitor, PipelineRunner, StageTypes } from '@equipoise/runtime';

/** Options of `startPipeline`. */
export interface StartOptions {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Load for the first plan, if none is restored. */
  readonly arrivalRps: number;
  readonly policy: PolicyName;
  /** Keeps the first plan. */
  readonly fixed: boolean;
  /** Mode of the loop; default: last mode set by hand, else that of the file. */
  readonly mode?: ControlMode | undefined;
  /** Restores the last good plan if it was made for the same pipeline. */
  readonly resume: boolean;
  /** Restores learned state, pins and mode; default `resume`. */
  readonly resumeLearned?: boolean | undefined;
  /** State file next to the profiles; default `state.db`. */
  readonly stateFile?: string | undefined;
  /** Aborts the start: everything is closed, and `startPipeline` rejects. */
  readonly signal?: AbortSignal | undefined;
  readonly report: (event: LoopEvent) => void;
  /** Opens ports before anything starts; its error ends the start. */
  readonly listen?: (parts: { readonly runner: PipelineRunner; readonly stageTypes: StageTypes }) => Promise<void>;
  /** Sees loop events from the start, and requests once replicas are warm. */
  readonly monitor?: PipelineMonitor;
}
