import type { AppError } from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { MeasuredBatches } from './measured-batches.js';
import { StageInputs } from './warm-up.js';

/** A replica that logs what is asked of it. */
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
