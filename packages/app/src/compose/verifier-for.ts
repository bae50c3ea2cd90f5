/** The simulation that checks plans for one arrival rate, over the profiles of this machine. */
import {
  curvesOf,
  DEFAULT_WORK_STAGE_REQUESTS,
  type PipelineSpec,
  type ProfileSet,
  planVerifier,
  profileError,
  type VerifyPlan,
} from '@equipoise/core';

/** Seed of all verifications: the same question gets the same answer. */
const SEED = 1;

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice. */
export function verifierFor(
  spec: PipelineSpec,
  profiles: ProfileSet,
  at: { readonly arrivalRps: number; readonly hostCores: number },
): VerifyPlan {
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  return planVerifier({ spec, curves, ...at, seed: SEED, workStageRequests: DEFAULT_WORK_STAGE_REQUESTS });
}
