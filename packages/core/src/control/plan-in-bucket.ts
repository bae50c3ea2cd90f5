/**
 * A plan for a load that lies in a bucket. The plan for the bucket's end serves all of it and is remembered; it is dearer than need be only
 * where the bucket's start has a better one, and only there the load is planned for as it is.
 */
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PlanResult } from '../model/plan.js';
import type { LoadBucket } from './planned-load.js';

/** An answer with the load that it was found for. */
export interface PlannedFor {
  readonly load: ExpectedLoad;
  readonly result: PlanResult;
}

const ROUNDING = 1e-9;

/** The answer of `plan` (by load) for a load within its bucket. */
export function planInBucket({ least, exact, most }: LoadBucket, plan: (load: ExpectedLoad) => PlanResult): PlannedFor {
  const forMost = { load: most, result: plan(most) };
  if (isAsGood(forMost.result, plan(least))) return forMost;
  const forExact = { load: exact, result: plan(exact) };
  return isAsGood(forMost.result, forExact.result) ? forMost : forExact;
}

/** Whether `a` is a plan of no less accuracy and no more cost than `b`, or there is no plan `b`. */
function isAsGood(a: PlanResult, b: PlanResult): boolean {
  if (b.kind !== 'feasible') return true;
  if (a.kind !== 'feasible') return false;
  const [of, than] = [a.plan.predicted, b.plan.predicted];
  return of.pas >= than.pas - ROUNDING && of.costPerHour <= than.costPerHour * (1 + ROUNDING);
}
