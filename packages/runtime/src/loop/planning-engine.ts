/** Planning and deciding over one pipeline and its profiles: core's functions with their verifier wired in. Synchronous. */
import {
  type ControlContext,
  controlPolicies,
  type Decision,
  type Observation,
  onTick,
  type PipelineSpec,
  type PlanningProblem,
  type PlanResult,
  type PolicyName,
  type ProfileSet,
  policies,
  requireCurves,
  smoothedRate,
  verifiersOf,
} from '@equipoise/core';

/** What stays the same for the life of an engine. `hostCores` is Infinity where the replicas are not on one host. */
export interface PlanningSetup {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly seed: number;
}

/** A question to the engine. */
export type PlanningTask =
  | { readonly kind: 'tick'; readonly observation: Observation }
  | { readonly kind: 'plan'; readonly policy: PolicyName; readonly arrivalRps: number; readonly verify: boolean };

/** Its answer, by the kind of the question. */
export type PlanningAnswer<Task extends PlanningTask> = Task extends { readonly kind: 'tick' } ? Decision : PlanResult;

/** Makes an engine; throws AppError PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice. */
export function planningEngine(setup: PlanningSetup): <Task extends PlanningTask>(task: Task) => PlanningAnswer<Task> {
  const { spec, profiles, hostCores, seed } = setup;
  const curves = requireCurves(spec, profiles);
  const verifierAt = verifiersOf({ spec, curves, hostCores, seed });
  const context: ControlContext = {
    ...{ spec, profiles, curves, verifierAt },
    policy: controlPolicies.equipoise,
    forecaster: smoothedRate,
  };
  const answer = (task: PlanningTask): Decision | PlanResult => {
    if (task.kind === 'tick') return onTick(context, task.observation);
    const { arrivalRps } = task;
    const problem: PlanningProblem = {
      spec,
      profiles,
      arrivalRps,
      estimator: 'distribution',
      clock: { nowMs: () => performance.now() },
    };
    return policies[task.policy](problem, task.verify ? verifierAt({ arrivalRps }) : undefined);
  };
  return answer as ReturnType<typeof planningEngine>;
}
