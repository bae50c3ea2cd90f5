/**
 * Times batches as the dispatch rule sees them: from the turn that starts a batch to the turn that takes its answer. The clock of the
 * runner is read once a turn, so the work of a turn (tensors cut, copied and handed over, requests answered) lies inside the batch that
 * it starts, as in a simulation, where a batch starts at the very instant at which another one ends.
 */
import type { AlarmClock, TensorMap } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { monotonicClock } from '@equipoise/runtime';
import type { ServedBatch } from './messages.js';

interface Answered {
  readonly batch: Omit<ServedBatch, 'ms'>;
  readonly fanOut: readonly number[] | undefined;
}

/** What was timed since it was last taken. */
export interface TimedBatches {
  readonly batches: readonly ServedBatch[];
  /** Items that each output became, by stages whose outputs fan out. */
  readonly fanOuts: Readonly<Record<string, readonly number[]>>;
}

/** A clock for the runner and runners for its stages. */
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

  /** The runner of a stage, timed; `fansOut` where its outputs become several items. */
  timed(runner: ModelRunner, stageId: string, fansOut: boolean): ModelRunner {
    return {
      run: async (inputs) => {
        const startedAtMs = this.#turnAtMs;
        const result = await runner.run(inputs);
        const items = result.items.map((item) => (item.kind === 'failed' ? 0 : itemCount(item.output)));
        const batch = { stageId, size: inputs.length, startedAtMs };
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

/** The leading dimension of an output that fans out. */
const itemCount = (output: TensorMap): number => Object.values(output)[0]?.shape[0] ?? 0;
