/** Rules of the control loop: what it plans with, how far it may go, and how it treats each policy. */
import type { Forecaster } from '../forecast/forecaster.js';
import type { LearningRules } from '../forecast/learning/load-learning.js';
import type { Forecast, LoadObservation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Budget, Objective, PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { Policy, VerifyPlan } from '../optimize/planning-problem.js';
import { type PolicyName, policies } from '../optimize/policies.js';
import type { ServiceCurves } from '../profile/curves-of.js';

/** A policy in the loop. */
export interface ControlPolicy {
  readonly plan: Policy;
  /** Do verdicts of the simulation steer the search? A sum of tails is solved once, so a verdict would change nothing. */
  readonly usesVerdicts: boolean;
  /** Does the running plan stay while it is good enough? Systems of the literature apply every new plan. */
  readonly keepsGoodPlans: boolean;
  /** Is a burst answered between two plans? Policies for comparison plan on their interval alone. */
  readonly protects: boolean;
}

const ours = (plan: Policy): ControlPolicy => ({ plan, usesVerdicts: true, keepsGoodPlans: true, protects: false });
const ofLiterature = (plan: Policy): ControlPolicy => ({
  plan,
  usesVerdicts: false,
  keepsGoodPlans: false,
  protects: false,
});

/** Every policy as the loop runs it. */
export const controlPolicies: Readonly<Record<PolicyName, ControlPolicy>> = {
  equipoise: { ...ours(policies.equipoise), protects: true },
  ipa: ofLiterature(policies.ipa),
  'fa2-low': ofLiterature(policies['fa2-low']),
  'fa2-high': ofLiterature(policies['fa2-high']),
  rim: ofLiterature(policies.rim),
  'static-cheapest': ours(policies['static-cheapest']),
  'static-best': ours(policies['static-best']),
};

/** Parts of the rules that depend on profiles, fan-outs and branches. */
export interface ProfiledParts {
  readonly profiles: ProfileSet;
  readonly curves: ServiceCurves;
  /** A verifier for one load; the same for the life of the rules, so that it may remember. */
  verifierAt(load: ExpectedLoad): VerifyPlan;
}

/** Budget and objective in place of those of the spec. */
export interface PlanningTarget {
  readonly budget?: Budget;
  readonly objective?: Objective;
}

/** Parts that stay the same from tick to tick. */
export interface ControlContext extends ProfiledParts {
  readonly spec: PipelineSpec;
  readonly policy: ControlPolicy;
  readonly forecaster: Forecaster;
  /** Target of a tick where it changes with time; that of the spec when left out. */
  readonly targetAt?: (atMs: number) => PlanningTarget;
}

/** Gain that a switch of variants must bring beyond the best plan without it. */
export interface SwitchRules {
  readonly leastSwitchSavingFraction: number;
  readonly leastSwitchPas: number;
}

/** Limits of improvements. */
export interface GuardrailRules extends SwitchRules {
  /** Changes in an hour from which on only necessary ones are made. */
  readonly mostChangesPerHour: number;
  /** Largest part of its replicas that one improvement takes from a stage. */
  readonly largestDownstepFraction: number;
  /** Largest forecast, as a multiple of the largest second of the last ten minutes. */
  readonly largestForecastRatio: number;
}

/** The usual rules. */
export const usualGuardrails: GuardrailRules = {
  mostChangesPerHour: 60,
  largestDownstepFraction: 0.5,
  largestForecastRatio: 3,
  leastSwitchSavingFraction: 0.1,
  leastSwitchPas: 0.01,
};

/** Rules of the controller. Omitted rules are off. */
export interface ControllerRules extends ControlContext {
  /** Makes the parts for corrected profiles and learned edges; without it, profiles and pipeline file are taken as they are. */
  readonly partsFor?: (profiles: ProfileSet, spec: PipelineSpec) => ProfiledParts;
  /** Methods that learn from the load; `forecaster` forecasts until they can. */
  readonly learning?: LearningRules;
  /** Forecast of the learned methods in place of the state's: a replay passes the recorded one. */
  readonly recordedForecast?: (load: LoadObservation) => Forecast | undefined;
  readonly guardrails?: GuardrailRules;
}
