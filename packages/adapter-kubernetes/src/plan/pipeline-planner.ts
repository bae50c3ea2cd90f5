/** Core's control policy and its state for one pipeline, on a thread or in a test. */
import type { Quiet } from '@equipoise/core/control';
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';

/** Without a decision if there is nothing to do between two plans; `quiet` as in a `TickAnswer` of core. */
export interface PlannerAnswer {
  readonly decision?: Decision | undefined;
  readonly quiet?: Quiet | undefined;
}

/** Planner of one pipeline. After a rejection the last good plan stays. */
export interface PipelinePlanner {
  plan(arrivalRps: number): Promise<PlanResult>;
  /** Decides. Ticks do not overlap and are in order. */
  tick(observation: Observation, executes: boolean): Promise<PlannerAnswer>;
  /** Shows a newer observation: a burst in it preempts the tick. */
  show(observation: Observation): void;
  reload(spec: PipelineSpec): Promise<void>;
  close(): Promise<void>;
}
