import { AppError, type StageSpec, stageId, type TensorMap, type VariantSpec, variantId } from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { FakeLauncher, launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { MeasuredBatches, StageInputs } from './watched-replicas.js';

const stage = stageNamed('detect', [variantNamed('only')]);
const item = (value: number): TensorMap => ({ x: { datatype: 'FP32', shape: [1], data: Float32Array.of(value) } });

describe('StageInputs', () => {
  it('keeps the first input that its stage answers, not one that it refused', async () => {
    const launcher = new FakeLauncher((batch) =>
      batch.map((given) =>
        given['x']?.data[0] === 0
          ? { kind: 'failed', error: new AppError('INVALID_INPUT', 'zero is refused') }
          : { kind: 'ok', output: given },
      ),
    );
    const inputs = new StageInputs();
    const { runner } = await inputs.watching(launcher).launch(launchRequestOf(stage));
    await runner.run([item(0)]);
    expect(inputs.batchFor(stage.id)).toBeUndefined();
    await runner.run([item(0), item(7)]);
    await runner.run([item(8)]);
    expect(inputs.batchFor(stage.id)).toEqual([item(7)]);
  });
});

const zeros = { x: { datatype: 'FP32', shape: [1], data: new Float32Array(1) } } as const;
const failed = { kind: 'failed', error: new AppError('INVALID_INPUT', 'no') } as const;

/** Replica that answers all items, or all but the first, in 7 ms. */
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
    const { items } = await runner.run([zeros, zeros]);
    expect([items.length, loadMs]).toEqual([2, 5]);
    expect(batches.take()).toEqual([{ stageId: 'a', variantId: 'v', cpuCores: 2, batchSize: 2, serviceMs: [7] }]);
    expect(batches.take()).toEqual([]);
  });

  it.each([
    ['what the CPU share was charged if that is more than the time inside the stage', 0.5, 9, 9],
    ['no CPU time beyond the time from sending the batch to its answer', 0.5, 5_000, 10],
    ['no CPU time of whole cores', 2, 9, 7],
  ])('counts %s', async (_, cpuCores, cpuMs, countedMs) => {
    let nowMs = 0;
    const batches = new MeasuredBatches(() => nowMs);
    const charged: Partial<ModelRunner> = {
      run: async (batch) => {
        nowMs += 10;
        return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 7, cpuMs };
      },
    };
    const resources = { ...request.resources, cpuCores };
    const { runner } = await batches.watching(launcherOf(true, charged)).launch({ ...request, resources });
    await runner.run([zeros]);
    expect(batches.take()).toMatchObject([{ serviceMs: [countedMs] }]);
  });

  it('leaves out batches in which an item failed', async () => {
    const batches = new MeasuredBatches();
    const { runner } = await batches.watching(launcherOf(false)).launch(request);
    await runner.run([zeros, zeros]);
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

/** Replica that logs its requests. */
function logging(log: string[]): ModelRunner {
  return {
    keepsTensors: true,
    run: async (batch) => {
      log.push(`run ${batch.length}`);
      return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 1 };
    },
    onLost: (listener: (error: AppError) => void) => void log.push(`onLost ${typeof listener}`),
    abandon: () => void log.push('abandon'),
    close: async () => void log.push('close'),
  };
}

describe.each([
  ['StageInputs', (launcher: ReplicaLauncher) => new StageInputs().watching(launcher)],
  ['MeasuredBatches', (launcher: ReplicaLauncher) => new MeasuredBatches().watching(launcher)],
])('a replica watched by %s', (_, watching) => {
  it('is to others what it was', async () => {
    const log: string[] = [];
    const launcher = watching({ launch: async () => ({ runner: logging(log), loadMs: 1 }) });
    const { runner } = await launcher.launch(launchRequestOf(stageNamed('detect', [variantNamed('only')])));
    expect(runner.keepsTensors).toBe(true);
    runner.onLost(() => {});
    await runner.run([{}]);
    await runner.run([{}, {}]);
    runner.abandon?.();
    await runner.close();
    expect(log).toEqual(['onLost function', 'run 1', 'run 2', 'abandon', 'close']);
  });

  it('has no more to offer than before', async () => {
    const { keepsTensors: _keeps, abandon: _abandon, ...plain } = logging([]);
    const launcher = watching({ launch: async () => ({ runner: plain, loadMs: 1 }) });
    const { runner } = await launcher.launch(launchRequestOf(stageNamed('detect', [variantNamed('only')])));
    expect(Object.keys(runner).sort()).toEqual(['close', 'onLost', 'run']);
  });
});
