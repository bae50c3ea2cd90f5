/** Planning and deciding over one pipeline and its profiles: core's functions with their verifier wired in. Synchronous. */
import {
  type ControllerRules,
  type ControllerState,
  controlPolicies,
  controlStep,
  type Decision,
  forecastMethods,
  learnBetween,
  newController,
  type Observation,
  type PipelineSpec,
  type PlanningProblem,
  type PlanResult,
  type PolicyName,
  type ProfileSet,
  policies,
  requireCurves,
  smoothedRate,
  usualGuardrails,
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

/** Its answer, by the kind of the question; a tick between two plans at which nothing happens has none. */
export type PlanningAnswer<Task extends PlanningTask> = Task extends { readonly kind: 'tick' }
  ? Decision | undefined
  : PlanResult;

/** An engine; ticks are to come in the order of time. */
export interface PlanningEngine {
  answer<Task extends PlanningTask>(task: Task): PlanningAnswer<Task>;
  /** To be called behind a tick: what takes time and nobody waits for. */
  learn(): void;
}

/** Makes an engine; throws AppError PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice. */
export function planningEngine(setup: PlanningSetup): PlanningEngine {
  const { spec, profiles, hostCores, seed } = setup;
  const partsFor = (set: ProfileSet) => {
    const curves = requireCurves(spec, set);
    return { profiles: set, curves, verifierAt: verifiersOf({ spec, curves, hostCores, seed }) };
  };
  const parts = partsFor(profiles);
  const rules: ControllerRules = {
    ...{ spec, ...parts, partsFor },
    policy: controlPolicies.equipoise,
    forecaster: smoothedRate,
    learning: { methods: forecastMethods, seed },
    guardrails: usualGuardrails,
  };
  let state: ControllerState = newController;
  const answer = (task: PlanningTask): Decision | PlanResult | undefined => {
    if (task.kind === 'tick') {
      const step = controlStep(rules, state, task.observation);
      state = step.state;
      return step.decision;
    }
    const { arrivalRps } = task;
    const problem: PlanningProblem = {
      spec,
      profiles,
      arrivalRps,
      estimator: 'distribution',
      clock: { nowMs: () => performance.now() },
    };
    return policies[task.policy](problem, task.verify ? parts.verifierAt({ arrivalRps }) : undefined);
  };
  return {
    answer: answer as PlanningEngine['answer'],
    learn: () => {
      state = learnBetween(rules, state);
    },
  };
}
