/**
 * Totals of counters over series that come, go and restart. A total never falls: when a pod leaves, its requests stay
 * counted. A sum over the series would fall, and look like a restart of all.
 */
import type { Sample } from '../api/prometheus-api.js';

interface Seen {
  value: number;
  atMs: number;
}

/** Series unseen for this long are forgotten. If they come back, they count from their value then. */
const FORGET_MS = 3_600_000;

export class GrowingTotals {
  readonly #series = new Map<string, Seen>();
  readonly #processes = new Map<string, number>();
  readonly #totals = new Map<string, number>();

  /**
   * Adds the growth of each sample to the total that `totalOf` names. A new series of a known process began at 0, such as
   * that of a first failure. Of a new process, growth counts from its first sample. A value that is no number is skipped:
   * a total would never recover from it.
   */
  add(samples: readonly Sample[], nowMs: number, totalOf: (sample: Sample) => string): void {
    const known = new Set(this.#processes.keys());
    for (const sample of samples.filter((each) => Number.isFinite(each.value))) {
      const { labels, value } = sample;
      const key = JSON.stringify(Object.entries(labels).toSorted());
      const process = `${labels['__name__']} ${labels['pod'] ?? ''} ${labels['instance'] ?? ''}`;
      const before = this.#series.get(key)?.value ?? (known.has(process) ? 0 : value);
      const growth = value < before ? value : value - before;
      const total = totalOf(sample);
      this.#totals.set(total, (this.#totals.get(total) ?? 0) + growth);
      this.#series.set(key, { value, atMs: nowMs });
      this.#processes.set(process, nowMs);
    }
    for (const [key, { atMs }] of this.#series) if (nowMs - atMs > FORGET_MS) this.#series.delete(key);
    for (const [key, atMs] of this.#processes) if (nowMs - atMs > FORGET_MS) this.#processes.delete(key);
  }

  get(total: string): number {
    return this.#totals.get(total) ?? 0;
  }
}
