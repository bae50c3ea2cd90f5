/** Planner of one pipeline: core's control policy and its state, on a thread or in a test. */
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';

/** Promises may reject; the last good plan then stays. */
export interface PipelinePlanner {
  /** A verified plan for a given load. */
  plan(arrivalRps: number): Promise<PlanResult>;
  /** One tick; undefined between two plans if nothing happens. Ticks never overlap and are in order of time. */
  tick(observation: Observation, executes: boolean): Promise<Decision | undefined>;
  /** Shows an observation during a tick: a burst in it pre-empts the tick. */
  show(observation: Observation): void;
  /** Continues with another spec. */
  reload(spec: PipelineSpec): Promise<void>;
  close(): Promise<void>;
}
