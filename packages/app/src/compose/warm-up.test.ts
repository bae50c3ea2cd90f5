import { AppError, type TensorMap } from '@equipoise/core/model';
import { FakeLauncher, launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { StageInputs } from './warm-up.js';

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
