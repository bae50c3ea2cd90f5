/** The fakes keep the contracts of the real implementations. */
import { AppError, type TensorMap } from '@equipoise/core/model';
import type { ItemResult } from '@equipoise/core/ports';
import { FakeLauncher } from '../fakes/fake-launcher.js';
import type { FakeRunner } from '../fakes/fake-runner.js';
import { launchRequestOf, stageNamed, variantNamed } from '../fakes/stage-specs.js';
import { describeModelRunnerConformance } from './model-runner-conformance.js';

const item = (command: string): TensorMap => ({ command: { datatype: 'BYTES', shape: [1], data: [command] } });

const commandOf = (given: TensorMap) => given['command']?.data[0];

const obey = (batch: readonly TensorMap[]): readonly ItemResult[] => {
  if (batch.some((each) => commandOf(each) === 'fail'))
    return batch.map(() => ({ kind: 'failed', error: new AppError('STAGE_FAILED', 'failed') }));
  return batch.map((output) =>
    commandOf(output) === 'refuse'
      ? { kind: 'failed', error: new AppError('INVALID_INPUT', 'refused') }
      : { kind: 'ok', output },
  );
};

describeModelRunnerConformance('FakeRunner', () => {
  const launcher = new FakeLauncher(obey);
  const unstartable = launchRequestOf(stageNamed('unstartable', [variantNamed('only')]));
  launcher.failureOf = ({ stage }) =>
    stage === unstartable.stage ? new AppError('MODEL_LOAD_FAILED', 'it cannot start') : undefined;
  return {
    launcher,
    echo: launchRequestOf(stageNamed('echo', [variantNamed('only')])),
    unstartable: { 'it says so': { code: 'MODEL_LOAD_FAILED', request: unstartable } },
    refusedItem: () => item('refuse'),
    failingItem: () => item('fail'),
    lossesWhileBusy: {
      'it is taken away': (runner) => {
        const fake = runner as FakeRunner;
        fake.hold();
        const running = fake.run([item('')]);
        fake.lose();
        return running;
      },
    },
    loseWhileIdle: (runner) => (runner as FakeRunner).lose(),
  };
});
