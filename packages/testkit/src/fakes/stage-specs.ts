/** Stages for tests of replicas. */
import { type Resources, type StageSpec, stageId, type VariantSpec, variantId } from '@equipoise/core/model';
import type { LaunchRequest } from '@equipoise/core/ports';

export const oneCore: Resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

export const variantNamed = (name: string, over: Partial<VariantSpec> = {}): VariantSpec => ({
  id: variantId(name),
  cpuCores: [1],
  memoryBytes: 0,
  gpus: 0,
  parameters: {},
  ...over,
});

/** Stage with the named variants, up to 8 replicas and batches of any size. */
export const stageNamed = (
  name: string,
  variants: readonly VariantSpec[],
  over: Partial<StageSpec> = {},
): StageSpec => ({
  id: stageId(name),
  kind: 'model',
  variants,
  bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
  pins: {},
  ...over,
});

/** Request to launch the first variant of a stage on one core. */
export function launchRequestOf(stage: StageSpec, over: Partial<LaunchRequest> = {}): LaunchRequest {
  const [variant] = stage.variants;
  if (variant === undefined) throw new Error(`stage '${stage.id}' has no variant`);
  return { stage, variant, resources: oneCore, baseDir: '.', ...over };
}
