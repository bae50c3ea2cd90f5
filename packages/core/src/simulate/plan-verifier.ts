/**
 * Verification as the planner calls it: one arrival rate, many plans. A plan seen before is not simulated again, and an
 * inconclusive verdict gets four times the work once; if it stays inconclusive it is reported so and counts as a miss.
 */
import type { Slo } from '../model/pipeline-spec.js';
import type { Plan, PlanVerification } from '../model/plan.js';
import { DEFAULT_WORK_STAGE_REQUESTS, type VerificationSetup, verifyPlan } from './verify-plan.js';

const MORE_WORK = 4;

/** A function that simulates plans against an SLO at the rate of `setup`; the spec's own SLO is replaced by the one asked for. */
export function planVerifier(setup: VerificationSetup): (plan: Plan, slo: Slo) => PlanVerification {
  const seen = new Map<string, PlanVerification>();
  return (plan, slo) => {
    const key = JSON.stringify([plan.stages, slo]);
    const known = seen.get(key);
    if (known !== undefined) return known;
    // A plan above the budget answers what a larger budget would do, and that has a larger host.
    const hostCores = Math.max(setup.hostCores, Math.ceil(plan.predicted.cpuCores));
    const asked = { ...setup, hostCores, spec: { ...setup.spec, slo } };
    const first = verifyPlan(asked, plan);
    const verdict = first.conclusive
      ? first
      : verifyPlan({ ...asked, workStageRequests: setup.workStageRequests * MORE_WORK }, plan);
    seen.set(key, verdict);
    return verdict;
  };
}

/** Verifiers of one pipeline by arrival rate, each with the usual work. */
export function verifiersOf(
  setup: Omit<VerificationSetup, 'arrivalRps' | 'workStageRequests'>,
): (arrivalRps: number) => ReturnType<typeof planVerifier> {
  return (arrivalRps) => planVerifier({ ...setup, arrivalRps, workStageRequests: DEFAULT_WORK_STAGE_REQUESTS });
}
