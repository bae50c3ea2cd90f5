/** Service times of the batches since the last tick, by replica kind and batch size. */
import type { BatchTimes } from '../../model/decision.js';

export type BatchKind = Pick<BatchTimes, 'stageId' | 'variantId' | 'cpuCores'>;

/** Maximum batches kept per kind and size between ticks; enough for a median. */
const MOST_OF_KIND = 50;

export class BatchRecord {
  readonly #byKind = new Map<string, BatchTimes & { readonly serviceMs: number[] }>();

  note({ stageId, variantId, cpuCores }: BatchKind, batchSize: number, serviceMs: number): void {
    const key = JSON.stringify([stageId, variantId, cpuCores, batchSize]);
    const times = this.#byKind.get(key) ?? { stageId, variantId, cpuCores, batchSize, serviceMs: [] };
    if (times.serviceMs.length < MOST_OF_KIND) times.serviceMs.push(serviceMs);
    this.#byKind.set(key, times);
  }

  /** Returns the batches and clears the record. */
  take(): readonly BatchTimes[] {
    const taken = [...this.#byKind.values()];
    this.#byKind.clear();
    return taken;
  }
}
