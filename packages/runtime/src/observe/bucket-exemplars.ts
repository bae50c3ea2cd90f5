/** The newest request with a kept trace of each bucket of a histogram. */
import type { Exemplar } from '../net/open-metrics.js';
import { bucketIndex } from './buckets.js';

export class BucketExemplars {
  readonly #upperBounds: readonly number[];
  readonly #samples: readonly string[];
  readonly #newest: (Omit<Exemplar, 'sample'> | undefined)[] = [];
  readonly #epochNowMs: () => number;

  /** `labels`: those that follow `le` in the text. */
  constructor(
    name: string,
    upperBounds: readonly number[],
    labels: Readonly<Record<string, string>>,
    epochNowMs: () => number = Date.now,
  ) {
    const others = Object.entries(labels).map(([label, value]) => `,${label}="${value}"`);
    this.#upperBounds = upperBounds;
    this.#samples = [...upperBounds, '+Inf'].map((bound) => `${name}_bucket{le="${bound}"${others.join('')}}`);
    this.#epochNowMs = epochNowMs;
  }

  note(traceId: string, value: number): void {
    this.#newest[bucketIndex(this.#upperBounds, value)] = { traceId, value, atEpochMs: this.#epochNowMs() };
  }

  all(): readonly Exemplar[] {
    return this.#newest.flatMap((newest, bucket) =>
      newest === undefined ? [] : [{ sample: this.#samples[bucket] ?? '', ...newest }],
    );
  }
}
