/**
 * Service curves, cached by profiles and variants. Estimates are cached by curve, so every plan needs the same curves.
 */
import type { PipelineSpec, VariantSpec } from '../../model/pipeline-spec.js';
import type { ProfileSet } from '../../model/profile-point.js';
import { curvesOf, profileError, type ServiceCurves } from '../../profile/curves-of.js';

interface Known {
  readonly variants: readonly (readonly VariantSpec[])[];
  readonly curves: ServiceCurves;
}

const MOST_KNOWN = 8;
const known = new WeakMap<ProfileSet, readonly Known[]>();

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID with all problems. */
export function planningCurves(spec: PipelineSpec, profiles: ProfileSet): ServiceCurves {
  const variants = spec.stages.map((stage) => stage.variants);
  const before = known.get(profiles) ?? [];
  const same = before.find(
    (entry) => entry.variants.length === variants.length && entry.variants.every((list, s) => list === variants[s]),
  );
  if (same !== undefined) return same.curves;
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  known.set(profiles, [{ variants, curves }, ...before].slice(0, MOST_KNOWN));
  return curves;
}
