/**
 * Warms replicas up, because the first run of a model allocates and compiles. The first replicas get samples through
 * the whole pipeline; later ones run a real input of their stage.
 */

import { type BatchKind, BatchRecord } from '@equipoise/core/control';
import type { BatchTimes, PipelineSpec, StageId, TensorMap } from '@equipoise/core/model';
import type { BatchResult, LaunchedReplica, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { copyTensors, loadPipelineSamples, type PipelineRunner } from '@equipoise/runtime';
import { watchedRunner } from './watched-runner.js';

const SAMPLES = 4;
const SAMPLE_TIMEOUT_MS = 30_000;

/** One answered input per stage. A failing input would make every later start fail. */
export class StageInputs {
  readonly #kept = new Map<StageId, TensorMap>();

  watching(launcher: ReplicaLauncher): ReplicaLauncher {
    return {
      launch: async (request): Promise<LaunchedReplica> => {
        const launched = await launcher.launch(request);
        return { ...launched, runner: this.#watched(launched.runner, request.stage.id) };
      },
    };
  }

  /** Batch with the input of a stage; undefined if there is none yet. */
  batchFor(stageId: StageId): readonly TensorMap[] | undefined {
    const input = this.#kept.get(stageId);
    return input === undefined ? undefined : [copyTensors(input)];
  }

  #watched(runner: ModelRunner, stageId: StageId): ModelRunner {
    return watchedRunner(runner, (batch, traceHeaders) => {
      const run = (given: readonly TensorMap[]) => runner.run(given, traceHeaders);
      return this.#kept.has(stageId) ? run(batch) : this.#runAndKeep(run, stageId, batch);
    });
  }

  async #runAndKeep(
    run: (batch: readonly TensorMap[]) => Promise<BatchResult>,
    stageId: StageId,
    batch: readonly TensorMap[],
  ): Promise<BatchResult> {
    // Copies, because the run takes over the tensors.
    const copies = batch.map(copyTensors);
    const result = await run(batch);
    const answered = copies.find((_, index) => result.items[index]?.kind === 'ok');
    if (answered !== undefined && !this.#kept.has(stageId)) this.#kept.set(stageId, answered);
    return result;
  }
}

/** Runs some samples one by one; does nothing without samples. */
export async function warmUpPipeline(runner: PipelineRunner, spec: PipelineSpec): Promise<void> {
  if (spec.sources[0]?.samplesPath === undefined) return;
  const { samples } = loadPipelineSamples(spec);
  for (const { inputs } of samples.slice(0, SAMPLES)) {
    await runner.submit(copyTensors(inputs), { timeoutMs: SAMPLE_TIMEOUT_MS });
  }
  runner.countAnew();
}

/** Measured batches, which the control loop compares with the profile. */
export class MeasuredBatches {
  readonly #record = new BatchRecord();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

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

  take(): readonly BatchTimes[] {
    return this.#record.take();
  }

  #measured(runner: ModelRunner, kind: BatchKind): ModelRunner {
    return watchedRunner(runner, async (batch, traceHeaders) => {
      const size = batch.length;
      const sentAtMs = this.#nowMs();
      const result = await runner.run(batch, traceHeaders);
      const { items, serviceMs, cpuMs = 0 } = result;
      // A CPU share is also charged for messages, which a profile includes, but for no more than the elapsed time.
      const chargedMs = kind.cpuCores < 1 ? Math.min(cpuMs, this.#nowMs() - sentAtMs) : 0;
      // A batch with failed items may have ended early.
      if (items.every((item) => item.kind === 'ok')) this.#record.note(kind, size, Math.max(serviceMs, chargedMs));
      return result;
    });
  }
}
