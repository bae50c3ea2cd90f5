/**
 * A plan for a load that lies in a bucket. The plan for the bucket's end serves all of it; it is dearer than need be only where the end of
 * the bucket below has a better one. There the bucket is halved, and the half that the load lies in again, down to single steps. So a bucket
 * has a few plans at most, and each is asked for again whenever the load comes back to its step.
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

/** The answer of `plan` for a load within its bucket; `plan` is asked about steps of the bucket alone and should remember. */
export function planInBucket({ steps, covering }: LoadBucket, plan: (load: ExpectedLoad) => PlanResult): PlannedFor {
  const at = (step: number): PlannedFor => {
    const load = steps[step] as ExpectedLoad;
    return { load, result: plan(load) };
  };
  let [low, high] = [0, steps.length - 1];
  const forEnd = at(high);
  let [below, found] = [at(low), forEnd];
  while (high - low > 1 && !isAsGood(found.result, below.result)) {
    const middle = Math.floor((low + high) / 2);
    if (covering > middle) [low, below] = [middle, at(middle)];
    else [high, found] = [middle, at(middle)];
  }
  return isAsGood(forEnd.result, found.result) ? forEnd : found;
}

/** Whether `a` is a plan of no less accuracy and no more cost than `b`, or there is no plan `b`. */
function isAsGood(a: PlanResult, b: PlanResult): boolean {
  if (b.kind !== 'feasible') return true;
  if (a.kind !== 'feasible') return false;
  const [of, than] = [a.plan.predicted, b.plan.predicted];
  return of.pas >= than.pas - ROUNDING && of.costPerHour <= than.costPerHour * (1 + ROUNDING);
}
