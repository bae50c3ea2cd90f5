/** Core's control policy and its state for one pipeline, on a thread or in a test. */
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';

/** After a rejection the last good plan stays. */
export interface PipelinePlanner {
  /** A verified plan. */
  plan(arrivalRps: number): Promise<PlanResult>;
  /** Undefined if nothing happens between two plans. Ticks never overlap and are in order of time. */
  tick(observation: Observation, executes: boolean): Promise<Decision | undefined>;
  /** A burst in the observation pre-empts the tick. */
  show(observation: Observation): void;
  reload(spec: PipelineSpec): Promise<void>;
  close(): Promise<void>;
}
