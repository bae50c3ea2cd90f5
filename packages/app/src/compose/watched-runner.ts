/** Looking at what a replica is given and answers, without changing what it is to those who use it. */
import type { ModelRunner } from '@equipoise/core/ports';

/** The same replica with `run` in place of its own. */
export function watchedRunner(runner: ModelRunner, run: ModelRunner['run']): ModelRunner {
  return {
    run,
    ...(runner.keepsTensors !== undefined && { keepsTensors: runner.keepsTensors }),
    ...(runner.abandon !== undefined && { abandon: () => runner.abandon?.() }),
    onLost: (listener) => runner.onLost(listener),
    close: () => runner.close(),
  };
}
