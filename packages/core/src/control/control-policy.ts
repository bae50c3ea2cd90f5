/** How the control loop treats each policy: whether simulations steer its search, and whether a plan that is good enough is kept. */
import type { Policy } from '../optimize/planning-problem.js';
import { type PolicyName, policies } from '../optimize/policies.js';

/** A policy in the loop. */
export interface ControlPolicy {
  readonly plan: Policy;
  /** Whether verdicts of the simulation change what it chooses; the sum of tails is solved once, so a verdict would tell it nothing. */
  readonly usesVerdicts: boolean;
  /** Whether what runs stays while it is good enough; the systems of the literature put every new plan in force. */
  readonly keepsGoodPlans: boolean;
  /** Whether a burst is answered between two plans; what Equipoise is compared with plans on its interval alone. */
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
