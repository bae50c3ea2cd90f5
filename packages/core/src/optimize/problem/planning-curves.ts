/**
 * Service curves, cached by profiles and variants. Estimates are cached per curve object, so plans must share these
 * objects.
 */
import type { PipelineSpec, Robustness, VariantSpec } from '../../model/pipeline-spec.js';
import type { ProfileSet } from '../../model/profile-point.js';
import { plannedCurves, requireCurves, type ServiceCurves } from '../../profile/service-curves.js';

interface Known {
  readonly variants: readonly (readonly VariantSpec[])[];
  readonly robustness: Robustness | undefined;
  readonly curves: ServiceCurves;
}

const MOST_KNOWN = 8;
const known = new WeakMap<ProfileSet, readonly Known[]>();

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID, which lists all problems. */
export function planningCurves(spec: PipelineSpec, profiles: ProfileSet): ServiceCurves {
  const variants = spec.stages.map((stage) => stage.variants);
  const before = known.get(profiles) ?? [];
  const { robustness } = spec;
  const same = before.find(
    (entry) =>
      entry.robustness?.serviceFactor === robustness?.serviceFactor &&
      entry.variants.length === variants.length &&
      entry.variants.every((list, s) => list === variants[s]),
  );
  if (same !== undefined) return same.curves;
  const curves = plannedCurves(requireCurves(spec, profiles));
  known.set(profiles, [{ variants, robustness, curves }, ...before].slice(0, MOST_KNOWN));
  return curves;
}
