import type { TickAnswer } from '@equipoise/core/control';
import type { Observation } from '@equipoise/core/model';
import type { Planner, PlanningAnswer, PlanningTask } from '@equipoise/runtime';

/** Decisions of a user's policy, every `intervalMs`. */
export interface OwnDecisions {
  readonly intervalMs: number;
  decide(observation: Observation): Promise<TickAnswer>;
}

/** A planner whose ticks are decided by a user's policy. */
export function ownTicks(planner: Planner, own: OwnDecisions): Pick<Planner, 'ask' | 'show' | 'preempt'> {
  const ask = <Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> =>
    task.kind === 'tick' ? (own.decide(task.observation) as Promise<PlanningAnswer<Task>>) : planner.ask(task);
  return { ask, show: () => {}, preempt: () => {} };
}
