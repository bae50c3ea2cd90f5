/** Service times of a served pipeline for the control loop, which holds them against the profile. */
import { type BatchKind, BatchRecord } from '@equipoise/core/control';
import type { BatchTimes } from '@equipoise/core/model';
import type { LaunchedReplica, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { watchedRunner } from './watched-runner.js';

/** Collects the service times of all batches that replicas answer. */
export class MeasuredBatches {
  readonly #record = new BatchRecord();

  /** A launcher whose replicas tell how long their batches take. */
  watching(launcher: ReplicaLauncher): ReplicaLauncher {
    return {
      launch: async (request): Promise<LaunchedReplica> => {
        const launched = await launcher.launch(request);
        const { stage, variant, resources } = request;
        const kind = { stageId: stage.id, variantId: variant.id, cpuCores: resources.cpuCores };
        return { ...launched, runner: this.#measured(launched.runner, kind) };
      },
    };
  }

  /** The batches since the last call. */
  take(): readonly BatchTimes[] {
    return this.#record.take();
  }

  #measured(runner: ModelRunner, kind: BatchKind): ModelRunner {
    return watchedRunner(runner, async (batch) => {
      const size = batch.length;
      const result = await runner.run(batch);
      // A batch in which items failed may have ended early.
      if (result.items.every((item) => item.kind === 'ok')) this.#record.note(kind, size, result.serviceMs);
      return result;
    });
  }
}
