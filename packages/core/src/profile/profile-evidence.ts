/** Doubts about the profiles behind a plan: uncertain means, and profiles of other machines. */
import type { DecisionEvidence } from '../model/decision.js';
import type { ProfilePoint, ProfileSet, UncertainPoint } from '../model/profile-point.js';

/** A point is uncertain if (half width of the mean's 95 % interval ÷ mean) exceeds this. */
const UNCERTAIN_FRACTION = 0.1;

/** Infinity if too few batches were measured; undefined without a measurement. */
export function meanHalfWidthFraction({ meanUncertaintyFraction }: ProfilePoint): number | undefined {
  if (meanUncertaintyFraction === undefined) return undefined;
  // JSON has no Infinity: it is stored as null.
  return Number.isFinite(meanUncertaintyFraction) ? meanUncertaintyFraction : Number.POSITIVE_INFINITY;
}

/** Widest first. */
function uncertainPoints(profiles: ProfileSet): readonly UncertainPoint[] {
  return profiles
    .flatMap(({ stageId, variantId, points }) =>
      points.map((point) => {
        const { cpuCores, batchSize } = point;
        return { of: { stageId, variantId, cpuCores, batchSize }, half: meanHalfWidthFraction(point) ?? 0 };
      }),
    )
    .filter(({ half }) => half > UNCERTAIN_FRACTION)
    .sort((a, b) => (a.half === b.half ? 0 : b.half - a.half))
    .map(({ of, half }) => (Number.isFinite(half) ? { ...of, halfWidthFraction: half } : of));
}

/** Empty lists are omitted. */
export function profileEvidence(profiles: ProfileSet): Pick<DecisionEvidence, 'scaledProfiles' | 'uncertainPoints'> {
  const uncertain = uncertainPoints(profiles);
  const scaled = profiles.flatMap(({ stageId, variantId, scaled: by }) =>
    by === undefined ? [] : [{ stageId, variantId, ...by }],
  );
  return {
    ...(scaled.length > 0 && { scaledProfiles: scaled }),
    ...(uncertain.length > 0 && { uncertainPoints: uncertain }),
  };
}
