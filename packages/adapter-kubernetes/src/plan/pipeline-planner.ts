/** Core's control policy and its state for one pipeline, on a thread or in a test. */
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';

/** Planner of one pipeline. After a rejection the last good plan stays. */
export interface PipelinePlanner {
  plan(arrivalRps: number): Promise<PlanResult>;
  /** Decides; undefined if there is nothing to do between two plans. Ticks do not overlap and are in order. */
  tick(observation: Observation, executes: boolean): Promise<Decision | undefined>;
  /** Shows a newer observation: a burst in it preempts the tick. */
  show(observation: Observation): void;
  reload(spec: PipelineSpec): Promise<void>;
  close(): Promise<void>;
}
