/**
 * Batch times as the dispatch rule sees them: from the turn that starts a batch to the turn that takes its answer. The
 * runner's clock is read once per turn, so the work of a turn counts towards the batch that the turn starts. In a
 * simulation, too, a batch starts at the instant when another batch ends.
 */
import type { AlarmClock, StageId, TensorMap, VariantId } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { monotonicClock } from '@equipoise/runtime';
import { watchedRunner } from '../compose/watched-runner.js';

/** Batch on the server's clock. */
export interface ServedBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly startedAtMs: number;
  readonly ms: number;
  /** Of the turn that takes its answer. */
  readonly answeredAtMs: number;
  /** Time inside the replica. */
  readonly serviceMs: number;
  /** CPU time, if the replica has a share of a core. */
  readonly cpuMs?: number | undefined;
}

/** A turn of the server's thread, and how long this thread had rested and worked before, since its start. */
export interface ServedTurn {
  readonly atMs: number;
  readonly restedMs: number;
  readonly workedMs: number;
}

/** CPU time (ms) of this thread; without it, all time without rest counts as work. Exact only over many turns. */
const threadCpuUsage = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage?.bind(process);

function workedMs(nowMs: number, restedMs: number): number {
  if (threadCpuUsage === undefined) return nowMs - restedMs;
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}

/** Records since the last call. */
export interface TimedBatches {
  readonly batches: readonly ServedBatch[];
  readonly turns: readonly ServedTurn[];
  /** Items of each output, by stages with a fan-out. */
  readonly fanOuts: Readonly<Record<string, readonly number[]>>;
}

export interface TimedReplica extends Pick<ServedBatch, 'stageId' | 'variantId' | 'cpuCores'> {
  readonly fansOut: boolean;
}

interface Answered {
  readonly batch: Omit<ServedBatch, 'ms' | 'answeredAtMs'>;
  readonly fanOut: readonly number[] | undefined;
}

export class BatchTimes {
  #turnAtMs = 0;
  #answered: Answered[] = [];
  #batches: ServedBatch[] = [];
  #turns: ServedTurn[] = [];
  #fanOuts: Record<string, number[]> = {};

  readonly clock: AlarmClock = {
    nowMs: () => {
      const { idle: restedMs } = performance.eventLoopUtilization();
      this.#turnAtMs = monotonicClock.nowMs();
      this.#turns.push({ atMs: this.#turnAtMs, restedMs, workedMs: workedMs(this.#turnAtMs, restedMs) });
      for (const { batch, fanOut } of this.#answered) {
        const answeredAtMs = this.#turnAtMs;
        this.#batches.push({ ...batch, ms: answeredAtMs - batch.startedAtMs, answeredAtMs });
        if (fanOut !== undefined) this.#countsOf(batch.stageId).push(...fanOut);
      }
      this.#answered = [];
      return this.#turnAtMs;
    },
    ringAt: monotonicClock.ringAt,
  };

  timed(runner: ModelRunner, { fansOut, ...replica }: TimedReplica): ModelRunner {
    return watchedRunner(runner, async (inputs, traceHeaders) => {
      const startedAtMs = this.#turnAtMs;
      const result = await runner.run(inputs, traceHeaders);
      const items = result.items.map((item) => (item.kind === 'failed' ? 0 : itemCount(item.output)));
      const { cpuMs, serviceMs } = result;
      const batch = { ...replica, batchSize: inputs.length, startedAtMs, cpuMs, serviceMs };
      this.#answered.push({ batch, fanOut: fansOut ? items : undefined });
      return result;
    });
  }

  #countsOf(stageId: string): number[] {
    const counts = this.#fanOuts[stageId] ?? [];
    this.#fanOuts[stageId] = counts;
    return counts;
  }

  take(): TimedBatches {
    const taken = { batches: this.#batches, turns: this.#turns, fanOuts: this.#fanOuts };
    this.#batches = [];
    this.#turns = [];
    this.#fanOuts = {};
    return taken;
  }
}

/** Leading dimension of a fanned-out output. */
const itemCount = (output: TensorMap): number => Object.values(output)[0]?.shape[0] ?? 0;
