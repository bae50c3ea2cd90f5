/** Verification of plans by simulation. */
import type { ControlContext } from '@equipoise/core/control';
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import { requireCurves, type VerifyPlan } from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';

/** Fixed, so that equal inputs give equal verdicts. */
const VERIFICATION_SEED = 1;

/** Host cores of a plan: the budget rounded up, independent of this machine; unbounded without a budget. */
export function plannedHostCores({ budget }: PipelineSpec): number {
  return budget.cpuCores === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(budget.cpuCores));
}

/** Throws PROFILE_MISSING or PROFILE_INVALID. */
export function verifierFor(
  spec: PipelineSpec,
  profiles: ProfileSet,
  at: { readonly arrivalRps: number; readonly hostCores: number },
): VerifyPlan {
  const { arrivalRps, hostCores } = at;
  return verifiersOf({ spec, curves: requireCurves(spec, profiles), hostCores, seed: VERIFICATION_SEED })({
    arrivalRps,
  });
}

export function verdictsFor(spec: PipelineSpec, profiles: ProfileSet): ControlContext['verifierAt'] {
  const curves = requireCurves(spec, profiles);
  return verifiersOf({ spec, curves, hostCores: plannedHostCores(spec), seed: VERIFICATION_SEED });
}
