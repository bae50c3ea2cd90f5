/**
 * Batch times as the dispatch rule sees them: from the turn that starts a batch to the turn that takes its answer. The
 * runner's clock is read once per turn, so the work of a turn counts towards the batch that the turn starts. In a
 * simulation, too, a batch starts at the instant when another batch ends.
 */
import type { AlarmClock, StageId, TensorMap, VariantId } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { monotonicClock } from '@equipoise/runtime';

/** Batch on the server's clock. */
export interface ServedBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly startedAtMs: number;
  readonly ms: number;
  /** CPU time, if the replica has a share of a core. */
  readonly cpuMs?: number | undefined;
}

/** Records since the last call. */
export interface TimedBatches {
  readonly batches: readonly ServedBatch[];
  /** Items of each output, by stages with a fan-out. */
  readonly fanOuts: Readonly<Record<string, readonly number[]>>;
}

export interface TimedReplica extends Pick<ServedBatch, 'stageId' | 'variantId' | 'cpuCores'> {
  readonly fansOut: boolean;
}

interface Answered {
  readonly batch: Omit<ServedBatch, 'ms'>;
  readonly fanOut: readonly number[] | undefined;
}

export class BatchTimes {
  #turnAtMs = 0;
  #answered: Answered[] = [];
  #batches: ServedBatch[] = [];
  #fanOuts: Record<string, number[]> = {};

  readonly clock: AlarmClock = {
    nowMs: () => {
      this.#turnAtMs = monotonicClock.nowMs();
      for (const { batch, fanOut } of this.#answered) {
        this.#batches.push({ ...batch, ms: this.#turnAtMs - batch.startedAtMs });
        if (fanOut !== undefined) this.#countsOf(batch.stageId).push(...fanOut);
      }
      this.#answered = [];
      return this.#turnAtMs;
    },
    ringAt: monotonicClock.ringAt,
  };

  timed(runner: ModelRunner, { fansOut, ...replica }: TimedReplica): ModelRunner {
    return {
      run: async (inputs, traceHeaders) => {
        const startedAtMs = this.#turnAtMs;
        const result = await runner.run(inputs, traceHeaders);
        const items = result.items.map((item) => (item.kind === 'failed' ? 0 : itemCount(item.output)));
        const batch = { ...replica, batchSize: inputs.length, startedAtMs, cpuMs: result.cpuMs };
        this.#answered.push({ batch, fanOut: fansOut ? items : undefined });
        return result;
      },
      onLost: (listener) => runner.onLost(listener),
      close: () => runner.close(),
    };
  }

  #countsOf(stageId: string): number[] {
    const counts = this.#fanOuts[stageId] ?? [];
    this.#fanOuts[stageId] = counts;
    return counts;
  }

  take(): TimedBatches {
    const taken = { batches: this.#batches, fanOuts: this.#fanOuts };
    this.#batches = [];
    this.#fanOuts = {};
    return taken;
  }
}

/** Leading dimension of a fanned-out output. */
const itemCount = (output: TensorMap): number => Object.values(output)[0]?.shape[0] ?? 0;
