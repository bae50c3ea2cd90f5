/** Stage of `fixtures/obey.mjs`, which obeys commands in its items. */
import { fileURLToPath } from 'node:url';
import type { StageSpec, Tensor, TensorMap } from '@equipoise/core/model';
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { launchRequestOf, type RunnerSubject, stageNamed, variantNamed } from '@equipoise/testkit';
import type { LaunchLimits } from './replica/start-replica-runner.js';

/** Folder of the fixtures. */
export const fixtures = fileURLToPath(new URL('./fixtures', import.meta.url));

/** Launch request for a fixture module. */
export const requestFor = (
  module: string,
  variant: Partial<Parameters<typeof variantNamed>[1]> = {},
  stage: Partial<StageSpec> = {},
): LaunchRequest =>
  launchRequestOf(stageNamed('obey', [variantNamed('only', variant)], { module, ...stage }), { baseDir: fixtures });

/** Launch request for the obeying stage. */
export const obeying = (
  parameters: Readonly<Record<string, unknown>> = {},
  stage: Partial<StageSpec> = {},
): LaunchRequest => requestFor('./obey.mjs', { parameters }, stage);

/** A tensor of numbers. */
export const fp32 = (...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** An item that makes the stage obey. */
export const commandItem = (command: string): TensorMap => ({
  command: { datatype: 'BYTES', shape: [1], data: [command] },
});

const withHeap = (request: LaunchRequest, memoryBytes: number): LaunchRequest => ({
  ...request,
  resources: { ...request.resources, memoryBytes },
});

/** Subject of the conformance suite, for every kind of replica that runs code. */
export function obeyingSubject(
  launcher: ReplicaLauncher,
  withLimits: (limits: LaunchLimits) => ReplicaLauncher,
  module = './obey.mjs',
): RunnerSubject {
  const asked = (parameters: Readonly<Record<string, unknown>> = {}, stage: Partial<StageSpec> = {}): LaunchRequest =>
    requestFor(module, { parameters }, stage);
  const failedLoad = (parameters: Readonly<Record<string, unknown>>) => ({
    code: 'MODEL_LOAD_FAILED',
    request: asked(parameters),
  });
  return {
    launcher,
    echo: withHeap(asked(), 128 * 1024 ** 2),
    unstartable: {
      'a module that is not there': { code: 'FILE_NOT_FOUND', request: requestFor(module.replace('obey', 'missing')) },
      'an artifact that is not there': {
        code: 'FILE_NOT_FOUND',
        request: requestFor(module, { artifact: './missing.onnx' }),
      },
      'a module without load': { code: 'MODULE_INVALID', request: requestFor(module.replace('obey', 'no-load')) },
      'a load that gives nothing that runs': { code: 'MODULE_INVALID', request: asked({ noRun: true }) },
      'a load that fails': failedLoad({ failToLoad: true }),
      'a load that ends the replica': failedLoad({ exitWhileLoading: true }),
      'a load that takes too long': {
        ...failedLoad({ loadMs: 1_000 }),
        launcher: withLimits({ launchTimeoutMs: 300 }),
      },
    },
    refusedItem: () => commandItem('refuse'),
    failingItem: () => commandItem('fail'),
    corruptingItems: {
      'too few results': () => commandItem('lose-result'),
      'a result that is no tensor map': () => commandItem('text'),
      'a tensor whose shape is a lie': () => commandItem('wrong-shape'),
    },
    lossesWhileBusy: {
      'it ends': (runner) => runner.run([commandItem('exit')]),
      'it throws beside the batch': (runner) => runner.run([commandItem('throw-and-hang')]),
      'its memory is full': (runner) => runner.run([commandItem('fill-heap')]),
    },
    hanging: { request: asked({}, { runTimeoutMs: 300 }), item: () => commandItem('hang') },
    loseWhileIdle: async (runner) => {
      await runner.run([commandItem('exit-soon')]);
    },
  };
}
