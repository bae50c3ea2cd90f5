/**
 * Profiles as serving corrects them. A correction is in force until what is measured leaves it by more than a tenth, and is a power of a small
 * step, so that noise neither makes new plans nor new verdicts.
 */
import type { StageId, VariantId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { LatencyProfile, ProfileSet } from '../../model/profile-point.js';
import { scaledPoint } from '../../profile/scale-profile.js';
import { type ServiceRatios, slownessOf } from './service-feedback.js';

/** The factor on the times of a point that is in force; 1 where none is. */
export interface Correction {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly factor: number;
}

/** How far measurements may lie from the correction in force. */
const TOLERANCE = 1.1;
/** Corrections are powers of it. */
const STEP = 1.05;

/** The corrections for all points of a pipeline, those in force where measurements keep to them; without factors of 1. */
export function corrections(
  spec: PipelineSpec,
  profiles: ProfileSet,
  { measured, inForce }: { readonly measured: ServiceRatios; readonly inForce: readonly Correction[] },
): readonly Correction[] {
  return profilesOf(spec, profiles).flatMap(({ stageId, variantId, points }) =>
    points.flatMap(({ cpuCores, batchSize }): readonly Correction[] => {
      const point = { stageId, variantId, cpuCores, batchSize };
      const present = factorOf(inForce, point);
      const slowness = slownessOf(measured, point);
      const off = Math.max(slowness / present, present / slowness);
      const factor = off > TOLERANCE ? STEP ** Math.round(Math.log(slowness) / Math.log(STEP)) : present;
      return factor === 1 ? [] : [{ ...point, factor }];
    }),
  );
}

function factorOf(inForce: readonly Correction[], point: Omit<Correction, 'factor'>): number {
  const found = inForce.find(
    (each) =>
      each.stageId === point.stageId &&
      each.variantId === point.variantId &&
      each.cpuCores === point.cpuCores &&
      each.batchSize === point.batchSize,
  );
  return found?.factor ?? 1;
}

/** All profiles of a pipeline with the corrections worked in, inline ones included. */
export function correctedProfiles(spec: PipelineSpec, profiles: ProfileSet, all: readonly Correction[]): ProfileSet {
  return profilesOf(spec, profiles).map((profile) => ({
    ...profile,
    points: profile.points.map((point) => scaledPoint(point, factorOf(all, { ...profile, ...point }))),
  }));
}

/** The profiles that count: measured ones, else those of the pipeline file. */
function profilesOf(spec: PipelineSpec, profiles: ProfileSet): readonly LatencyProfile[] {
  return spec.stages.flatMap((stage) =>
    stage.variants.map((variant): LatencyProfile => {
      const measured = profiles.find((each) => each.stageId === stage.id && each.variantId === variant.id);
      const { profile: points = [], loadMs = 0 } = variant;
      return measured ?? { stageId: stage.id, variantId: variant.id, points, loadMs };
    }),
  );
}
