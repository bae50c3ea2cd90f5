/**
 * CPU of pods as plans for clusters assume it: the kernel's quotas, and a floor for pods that run Equipoise's server. With
 * 0.05 cores, such a pod has 5 ms in each period of 100 ms and takes most of a minute to start. Pinned cores, and cores of
 * other servers, have no floor.
 */
import {
  type PipelineSpec,
  type ProfileSet,
  type StageSpec,
  usualCpuQuotaPeriodMs,
  type VariantSpec,
} from '@equipoise/core/model';

/** `leastCpuCores`: floor in cores, 0 for none. */
export interface CpuPolicy {
  readonly leastCpuCores: number;
  /** False if pods have no CPU limit, only a request. */
  readonly hasCpuLimits: boolean;
}

export const usualCpuPolicy: CpuPolicy = { leastCpuCores: 0.25, hasCpuLimits: true };

/** Cores are multiples of this. */
const STEP = 0.05;

/** The pipeline as pods serve it: with the floor, and under the quotas of CPU limits. */
export function withCpuPolicy(spec: PipelineSpec, profiles: ProfileSet, policy: CpuPolicy): PipelineSpec {
  const floored = withCpuFloor(spec, profiles, policy.leastCpuCores);
  return policy.hasCpuLimits ? { ...floored, cpuQuotaPeriodMs: usualCpuQuotaPeriodMs } : floored;
}

export function withCpuFloor(spec: PipelineSpec, profiles: ProfileSet, leastCpuCores: number): PipelineSpec {
  const floor = Number((Math.ceil(leastCpuCores / STEP - 1e-9) * STEP).toFixed(2));
  if (floor <= 0) return spec;
  return { ...spec, stages: spec.stages.map((stage) => flooredStage(stage, profiles, floor)) };
}

function flooredStage(stage: StageSpec, profiles: ProfileSet, floor: number): StageSpec {
  if (stage.pins.cpuCores !== undefined) return stage;
  const variants = stage.variants.map((variant) => {
    if (variant.server !== undefined) return variant;
    const measured = profiles.find((each) => each.stageId === stage.id && each.variantId === variant.id);
    return flooredVariant(variant, measured?.points ?? variant.profile ?? [], floor);
  });
  return { ...stage, variants };
}

function flooredVariant(variant: VariantSpec, points: NonNullable<VariantSpec['profile']>, floor: number): VariantSpec {
  if (variant.cpuCores.every((cores) => cores >= floor)) return variant;
  const enough = variant.cpuCores.filter((cores) => cores >= floor);
  if (enough.length > 0) return { ...variant, cpuCores: enough };
  // A share of a core needs points of one core, or its own.
  const isProfiled = points.some(({ cpuCores }) => cpuCores === floor || (floor < 1 && cpuCores === 1));
  return { ...variant, cpuCores: isProfiled ? [floor] : variant.cpuCores.slice(-1) };
}
