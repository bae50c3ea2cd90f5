import { AppError, type StageSpec, stageId, type VariantSpec, variantId } from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { describe, expect, it } from 'vitest';
import { MeasuredBatches } from './measured-batches.js';

const item = { x: { datatype: 'FP32', shape: [1], data: new Float32Array(1) } } as const;
const failed = { kind: 'failed', error: new AppError('INVALID_INPUT', 'no') } as const;

/** A replica that answers in 7 ms, all items or all but the first. */
function launcherOf(answersAll: boolean, over: Partial<ModelRunner> = {}): ReplicaLauncher {
  const runner: ModelRunner = {
    run: async (batch) => ({
      items: batch.map((output, i) => (answersAll || i > 0 ? { kind: 'ok', output } : failed)),
      serviceMs: 7,
    }),
    onLost: () => undefined,
    close: async () => undefined,
    ...over,
  };
  return { launch: async () => ({ runner, loadMs: 5 }) };
}

const request = {
  stage: { id: stageId('a') } as StageSpec,
  variant: { id: variantId('v') } as VariantSpec,
  resources: { cpuCores: 2, memoryBytes: 0, gpus: 0 },
  baseDir: '.',
};

describe('MeasuredBatches', () => {
  it('tells how long the batches of each kind of replica took, once', async () => {
    const batches = new MeasuredBatches();
    const { runner, loadMs } = await batches.watching(launcherOf(true)).launch(request);
    const { items } = await runner.run([item, item]);
    expect([items.length, loadMs]).toEqual([2, 5]);
    expect(batches.take()).toEqual([{ stageId: 'a', variantId: 'v', cpuCores: 2, batchSize: 2, serviceMs: [7] }]);
    expect(batches.take()).toEqual([]);
  });

  it('leaves out batches in which an item failed', async () => {
    const batches = new MeasuredBatches();
    const { runner } = await batches.watching(launcherOf(false)).launch(request);
    await runner.run([item, item]);
    expect(batches.take()).toEqual([]);
  });

  it('leaves a replica all that it can do', async () => {
    let abandoned = 0;
    const able = launcherOf(true, { keepsTensors: true, abandon: () => (abandoned += 1) });
    const { runner } = await new MeasuredBatches().watching(able).launch(request);
    runner.abandon?.();
    expect([runner.keepsTensors, abandoned]).toEqual([true, 1]);
    const plain = await new MeasuredBatches().watching(launcherOf(true)).launch(request);
    expect('abandon' in plain.runner).toBe(false);
  });
});
