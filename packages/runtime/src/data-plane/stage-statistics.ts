/** Counts of one stage, in constant memory. */
import type { DropReason } from '@equipoise/core/model';
import type { IssueCounts } from '@equipoise/core/serve';

export interface BatchSizeCounts {
  readonly batches: number;
  readonly meanServiceMs: number;
  readonly maxServiceMs: number;
}

export interface PolicyCounts {
  readonly queueLength: number;
  /** Items queued again (replica lost, batch hung or canary failed). */
  readonly retriedItems: number;
  readonly troubles: IssueCounts;
}

export interface StageCounts extends PolicyCounts {
  readonly batches: number;
  /** Items in finished batches, including `failedItems`. */
  readonly items: number;
  readonly failedItems: number;
  /** Replica-milliseconds since the start, from sending a batch until its answer. */
  readonly busyMs: number;
  /** Sum over the items of the time in the queue. */
  readonly waitMs: number;
  /** Since the start. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly byBatchSize: Readonly<Record<number, BatchSizeCounts>>;
}

/** `serviceMs` is the time inside the replica; `busyMs` includes the time of its messages. */
export interface FinishedBatch {
  readonly size: number;
  readonly failedItems: number;
  readonly busyMs: number;
  readonly serviceMs: number;
  readonly waitsMs: readonly number[];
}

export class StageStatistics {
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  readonly #byBatchSize = new Map<number, { batches: number; totalMs: number; maxMs: number }>();
  #batches = 0;
  #items = 0;
  #failedItems = 0;
  #busyMs = 0;
  #waitMs = 0;

  /** Resets the counts of batches. The metrics need busy time and drops since the start. */
  countAnew(): void {
    this.#batches = 0;
    this.#items = 0;
    this.#failedItems = 0;
    this.#waitMs = 0;
    this.#byBatchSize.clear();
  }

  dropped(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  finished({ size, failedItems, busyMs, serviceMs, waitsMs }: FinishedBatch): void {
    this.#batches += 1;
    this.#items += size;
    this.#failedItems += failedItems;
    this.#busyMs += busyMs;
    for (const waitMs of waitsMs) this.#waitMs += waitMs;
    let ofSize = this.#byBatchSize.get(size);
    if (ofSize === undefined) {
      ofSize = { batches: 0, totalMs: 0, maxMs: 0 };
      this.#byBatchSize.set(size, ofSize);
    }
    ofSize.batches += 1;
    ofSize.totalMs += serviceMs;
    ofSize.maxMs = Math.max(ofSize.maxMs, serviceMs);
  }

  counts(ofPolicies: PolicyCounts): StageCounts {
    return {
      ...ofPolicies,
      batches: this.#batches,
      items: this.#items,
      failedItems: this.#failedItems,
      busyMs: this.#busyMs,
      waitMs: this.#waitMs,
      dropped: { ...this.#dropped },
      byBatchSize: Object.fromEntries(
        [...this.#byBatchSize].map(([size, { batches, totalMs, maxMs }]) => [
          size,
          { batches, meanServiceMs: totalMs / batches, maxServiceMs: maxMs },
        ]),
      ),
    };
  }
}
