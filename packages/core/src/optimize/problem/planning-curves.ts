/**
 * Service curves, cached by profiles and variants. Estimates are cached per curve object, so plans must share these
 * objects. A pipeline without some stages uses those of the whole one.
 */
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec, Robustness, VariantSpec } from '../../model/pipeline-spec.js';
import type { ProfileSet } from '../../model/profile-point.js';
import { plannedCurves, requireCurves, type ServiceCurves } from '../../profile/service-curves.js';

interface Known {
  readonly variants: ReadonlyMap<StageId, readonly VariantSpec[]>;
  readonly robustness: Robustness | undefined;
  readonly curves: ServiceCurves;
}

const MOST_KNOWN = 8;
const known = new WeakMap<ProfileSet, readonly Known[]>();

/** Throws AppError PROFILE_MISSING or PROFILE_INVALID, which lists all problems. */
export function planningCurves(spec: PipelineSpec, profiles: ProfileSet): ServiceCurves {
  const before = known.get(profiles) ?? [];
  const { robustness } = spec;
  const same = before.find(
    (entry) =>
      entry.robustness?.serviceFactor === robustness?.serviceFactor &&
      spec.stages.every((stage) => entry.variants.get(stage.id) === stage.variants),
  );
  if (same !== undefined) return same.curves;
  const curves = plannedCurves(requireCurves(spec, profiles));
  const variants = new Map(spec.stages.map((stage) => [stage.id, stage.variants]));
  known.set(profiles, [{ variants, robustness, curves }, ...before].slice(0, MOST_KNOWN));
  return curves;
}
