import type { Forecaster } from '../forecast/forecaster.js';
import type { LearningRules } from '../forecast/learning/load-learning.js';
import type { Forecast, LoadObservation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Budget, Objective, PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { Policy, VerifyPlan } from '../optimize/planning-problem.js';
import { type PolicyName, policies } from '../optimize/policies.js';
import type { ServiceCurves } from '../profile/service-curves.js';

export interface ControlPolicy {
  readonly plan: Policy;
  /** True if simulation verdicts guide the search. Policies of the literature solve once, without verdicts. */
  readonly usesVerdicts: boolean;
  /** True if a running plan stays while it is good enough. Policies of the literature apply every new plan. */
  readonly keepsGoodPlans: boolean;
  /** True if bursts are answered between plans: only with `equipoise`. */
  readonly protects: boolean;
}

const ours = (plan: Policy): ControlPolicy => ({ plan, usesVerdicts: true, keepsGoodPlans: true, protects: false });
const ofLiterature = (plan: Policy): ControlPolicy => ({
  plan,
  usesVerdicts: false,
  keepsGoodPlans: false,
  protects: false,
});

export const controlPolicies: Readonly<Record<PolicyName, ControlPolicy>> = {
  equipoise: { ...ours(policies.equipoise), protects: true },
  ipa: ofLiterature(policies.ipa),
  'fa2-low': ofLiterature(policies['fa2-low']),
  'fa2-high': ofLiterature(policies['fa2-high']),
  rim: ofLiterature(policies.rim),
  'static-cheapest': ours(policies['static-cheapest']),
  'static-best': ours(policies['static-best']),
};

/** Rules that depend on profiles, fan-outs and branches. */
export interface ProfiledParts {
  readonly profiles: ProfileSet;
  readonly curves: ServiceCurves;
  /** Verifier for one load; always the same object, so that it can cache. */
  verifierAt(load: ExpectedLoad): VerifyPlan;
}

/** Overrides of the spec's budget and objective. */
export interface PlanningTarget {
  readonly budget?: Budget;
  readonly objective?: Objective;
}

export interface ControlContext extends ProfiledParts {
  readonly spec: PipelineSpec;
  readonly policy: ControlPolicy;
  readonly forecaster: Forecaster;
  /** Target at a time; by default the spec's target. */
  readonly targetAt?: (atMs: number) => PlanningTarget;
}

/** Minimum gain of a switch of variants over the best plan without it. */
export interface SwitchRules {
  readonly leastSwitchSavingFraction: number;
  readonly leastSwitchPas: number;
}

export interface GuardrailRules extends SwitchRules {
  /** After this many changes in an hour, only necessary ones follow. */
  readonly mostChangesPerHour: number;
  /** Maximum fraction of a stage's replicas that one improvement removes. */
  readonly largestDownstepFraction: number;
  /** Maximum ratio of forecast to busiest second of the last ten minutes. */
  readonly largestForecastRatio: number;
}

export const usualGuardrails: GuardrailRules = {
  mostChangesPerHour: 60,
  largestDownstepFraction: 0.5,
  largestForecastRatio: 3,
  leastSwitchSavingFraction: 0.1,
  leastSwitchPas: 0.01,
};

/** Rules of the controller. Omitted rules are off. */
export interface ControllerRules extends ControlContext {
  /** Applies corrected profiles and learned edges. By default nothing is learned. */
  readonly partsFor?: (profiles: ProfileSet, spec: PipelineSpec) => ProfiledParts;
  /** Methods that learn. `forecaster` forecasts until they are trained. */
  readonly learning?: LearningRules;
  /** Forecast from a log, for a replay. Default: forecast by the state. */
  readonly recordedForecast?: (load: LoadObservation) => Forecast | undefined;
  readonly guardrails?: GuardrailRules;
  /** True to plan for loads up to 22 % higher where that costs nothing: a process with many pipelines simulates less. */
  readonly wideBuckets?: boolean | undefined;
}
