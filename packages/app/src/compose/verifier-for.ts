/** The simulation that checks plans for one arrival rate, over the profiles of this machine. */
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import { requireCurves, type VerifyPlan } from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';

/** Seed of all verifications: the same question gets the same answer. */
export const VERIFICATION_SEED = 1;

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice. */
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
