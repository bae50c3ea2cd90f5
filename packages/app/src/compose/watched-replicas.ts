/**
 * Warm replicas before they serve: the first run of a model allocates and compiles, which would cost a request its SLO. A replica
 * that starts later runs an input that its stage has really seen; for the very first ones samples go through the whole pipeline.
 */

import { type BatchKind, BatchRecord } from '@equipoise/core/control';
import type { BatchTimes, PipelineSpec, StageId, TensorMap } from '@equipoise/core/model';
import type { BatchResult, LaunchedReplica, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { copyTensors, loadPipelineSamples, type PipelineRunner } from '@equipoise/runtime';

const SAMPLES = 4;
const SAMPLE_TIMEOUT_MS = 30_000;

/** Keeps one real input of each stage, one that the stage has answered: what it refused would fail every later start. */
export class StageInputs {
  readonly #kept = new Map<StageId, TensorMap>();

  /** A launcher whose replicas leave a copy of the first input here that their stage answers. */
  watching(launcher: ReplicaLauncher): ReplicaLauncher {
    return {
      launch: async (request): Promise<LaunchedReplica> => {
        const launched = await launcher.launch(request);
        return { ...launched, runner: this.#watched(launched.runner, request.stage.id) };
      },
    };
  }

  /** A batch for a new replica of the stage, or undefined while nothing has been seen. */
  batchFor(stageId: StageId): readonly TensorMap[] | undefined {
    const input = this.#kept.get(stageId);
    return input === undefined ? undefined : [copyTensors(input)];
  }

  #watched(runner: ModelRunner, stageId: StageId): ModelRunner {
    return watchedRunner(runner, (batch) =>
      this.#kept.has(stageId) ? runner.run(batch) : this.#runAndKeep(runner, stageId, batch),
    );
  }

  async #runAndKeep(runner: ModelRunner, stageId: StageId, batch: readonly TensorMap[]): Promise<BatchResult> {
    // Copied before the run, which takes the tensors.
    const copies = batch.map(copyTensors);
    const result = await runner.run(batch);
    const answered = copies.find((_, index) => result.items[index]?.kind === 'ok');
    if (answered !== undefined && !this.#kept.has(stageId)) this.#kept.set(stageId, answered);
    return result;
  }
}

/** Sends a few samples of the pipeline through its first replicas, one after another; without samples nothing is warmed. */
export async function warmUpPipeline(runner: PipelineRunner, spec: PipelineSpec): Promise<void> {
  if (spec.sources[0]?.samplesPath === undefined) return;
  const { samples } = loadPipelineSamples(spec);
  for (const { inputs } of samples.slice(0, SAMPLES)) {
    await runner.submit(copyTensors(inputs), { timeoutMs: SAMPLE_TIMEOUT_MS });
  }
  runner.countAnew();
}

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

/** The same replica with `run` in place of its own. */
function watchedRunner(runner: ModelRunner, run: ModelRunner['run']): ModelRunner {
  return {
    run,
    ...(runner.keepsTensors !== undefined && { keepsTensors: runner.keepsTensors }),
    ...(runner.abandon !== undefined && { abandon: () => runner.abandon?.() }),
    onLost: (listener) => runner.onLost(listener),
    close: () => runner.close(),
  };
}
