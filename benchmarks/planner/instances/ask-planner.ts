/** Asks the planner as `equipoise plan` does, as a library call, and counts CPU time and verifications. */
import type { Plan } from '@equipoise/core/model';
import { optimize, type PlanningProblem, type VerifyPlan } from '@equipoise/core/plan';
import type { PlanJudge } from './plan-judge.js';

export interface PlannerAnswer {
  readonly kind: string;
  /** True if infeasibility is proven. */
  readonly proven?: boolean;
  readonly plan?: Plan;
  readonly gapToBoundFraction?: number;
  readonly cpuS: number;
  readonly verifications: number;
}

export function cpuSeconds<T>(work: () => T): { readonly result: T; readonly cpuS: number } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { result, cpuS: (user + system) / 1e6 };
}

export function askPlanner(judge: PlanJudge, overrides: Partial<PlanningProblem> = {}): PlannerAnswer {
  let verifications = 0;
  const verify = judge.plannerVerifier();
  const counted: VerifyPlan = (...asked) => {
    verifications++;
    return verify(...asked);
  };
  const { result, cpuS } = cpuSeconds(() => optimize({ ...judge.problem, ...overrides }, counted));
  const common = { kind: result.kind, cpuS, verifications };
  if (result.kind !== 'feasible') return { ...common, proven: 'proven' in result && result.proven };
  return { ...common, plan: result.plan, gapToBoundFraction: result.certificate.gapToBoundFraction };
}
