/** Who plans for one pipeline: core's control policy with what it remembers, in a thread of its own or in a test. */
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';

/** Every promise may reject; the last good plan then goes on. */
export interface PipelinePlanner {
  /** A verified plan for a load that is only known as a number. */
  plan(arrivalRps: number): Promise<PlanResult>;
  /** One tick; no decision between two plans where nothing happens. Ticks never overlap and come in the order of time. */
  tick(observation: Observation, executes: boolean): Promise<Decision | undefined>;
  /** Shows what comes in while a tick is under way: a burst in it is answered first. */
  show(observation: Observation): void;
  /** Plans for another description from now on. */
  reload(spec: PipelineSpec): Promise<void>;
  close(): Promise<void>;
}
