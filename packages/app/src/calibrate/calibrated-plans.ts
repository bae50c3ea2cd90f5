/** Plans that calibrate every variant at least once: one replica per stage, the largest batches. */
import {
  AppError,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  type StageId,
  type StagePlan,
} from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { servingHostCores } from '../compose/served-spec.js';

type Stages = Plan['stages'];

/** Plan n has variant n of each stage, or starts again at a stage's first. Throws PROFILE_MISSING, PROFILE_INVALID. */
export function plansOfAllVariants(spec: PipelineSpec, profiles: ProfileSet): readonly Stages[] {
  const curves = requireCurves(spec, profiles);
  const count = Math.max(...spec.stages.map(({ variants }) => variants.length));
  return Array.from({ length: count }, (_, number) => {
    const stages: Record<StageId, readonly StagePlan[]> = {};
    for (const { id, variants, bounds } of spec.stages) {
      const variant = variants[number % variants.length];
      // The largest core count that was profiled.
      const cpuCores = variant?.cpuCores.toSorted((a, b) => b - a).find((cores) => curves.curve(id, variant.id, cores));
      const curve = variant && cpuCores !== undefined ? curves.curve(id, variant.id, cpuCores) : undefined;
      if (variant === undefined || cpuCores === undefined || curve === undefined) throw unprofiled(id);
      const resources = { cpuCores, memoryBytes: variant.memoryBytes, gpus: variant.gpus };
      const maxBatchSize = Math.min(curve.maxBatchSize, Math.max(...(bounds.batchSizes ?? curve.batchSizes)));
      const batching = { maxBatchSize, maxBatchWaitMs: 0 };
      stages[id] = [{ variantId: variant.id, resources, ...batching, replicas: 1, trafficFraction: 1 }];
    }
    return stages;
  });
}

function unprofiled(id: StageId): AppError {
  return new AppError(
    'PROFILE_MISSING',
    `Stage ${id} has a variant without a profile for any of its core counts. \`equipoise profile FILE\` measures it.`,
  );
}

/** Host cores of a plan: those of the budget, or more if the plan needs them, at most this machine's. */
export function hostCoresOf(spec: PipelineSpec, stages: Stages): number {
  const planned = Object.values(stages)
    .flat()
    .reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
  const { cpuCores } = spec.budget;
  return servingHostCores(
    cpuCores === undefined ? spec : { ...spec, budget: { cpuCores: Math.max(planned, cpuCores) } },
  );
}

/** Measured profiles and inline ones, without corrections. */
export function uncorrectedProfiles(spec: PipelineSpec, measured: ProfileSet): ProfileSet {
  return spec.stages.flatMap((stage) =>
    stage.variants.map(({ id, profile = [], loadMs = 0 }) => {
      const found = measured.find(({ stageId, variantId }) => stageId === stage.id && variantId === id);
      if (found === undefined) return { stageId: stage.id, variantId: id, points: profile, loadMs };
      const { correction: _, ...rest } = found;
      return rest;
    }),
  );
}
