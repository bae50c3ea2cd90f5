/** Starts one replica and warms it up, so that the first request does not wait for lazy loading. */
import {
  AppError,
  invariant,
  type Resources,
  type StageSpec,
  type TensorMap,
  type VariantId,
} from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';

export interface ReplicaStart {
  readonly launcher: ReplicaLauncher;
  readonly stage: StageSpec;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly baseDir: string;
  readonly warmUpBatch: () => readonly TensorMap[] | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** Rejects with the error of the launch or run, or MODEL_LOAD_FAILED if a warm-up item fails. */
export async function startReplica(start: ReplicaStart): Promise<ModelRunner> {
  const { launcher, stage, variantId, resources, baseDir } = start;
  const variant = stage.variants.find(({ id }) => id === variantId);
  invariant(variant !== undefined, `stage '${stage.id}' has the variant '${variantId}'`);
  const { runner } = await launcher.launch({ stage, variant, resources, baseDir });
  const batch = start.warmUpBatch();
  if (batch === undefined) return runner;
  try {
    await warmUp(runner, batch);
  } catch (error) {
    await runner.close().catch(start.onFailure);
    throw error;
  }
  return runner;
}

async function warmUp(runner: ModelRunner, batch: readonly TensorMap[]): Promise<void> {
  const { items } = await runner.run(batch);
  for (const item of items) {
    // A rejected input says nothing about the replica, which serves without warm-up.
    if (item.kind === 'ok' || item.error.code === 'INVALID_INPUT') continue;
    throw new AppError('MODEL_LOAD_FAILED', `The warm-up run failed: ${item.error.message}`, { cause: item.error });
  }
}
