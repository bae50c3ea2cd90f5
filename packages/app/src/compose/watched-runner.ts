import type { ModelRunner } from '@equipoise/core/ports';

/** Runner with another `run`, which calls that of `runner`. All else stays, because serving depends on it. */
export function watchedRunner(runner: ModelRunner, run: ModelRunner['run']): ModelRunner {
  return {
    run,
    ...(runner.keepsTensors !== undefined && { keepsTensors: runner.keepsTensors }),
    ...(runner.givesTensors && { givesTensors: true }),
    ...(runner.passesTraces && { passesTraces: true }),
    ...(runner.address !== undefined && { address: runner.address }),
    ...(runner.abandon !== undefined && { abandon: () => runner.abandon?.() }),
    onLost: (listener) => runner.onLost(listener),
    close: () => runner.close(),
  };
}
