/**
 * Counters and histograms for events of every request and batch. An update is a look-up and an addition; prom-client
 * would check and hash the labels each time. It renders the tallies when a page is read.
 */
import { invariant } from '@equipoise/core/model';
import { Counter, Histogram, type Registry } from 'prom-client';
import { bucketIndex } from './buckets.js';

interface TallyOptions {
  readonly name: string;
  readonly help: string;
  /** At most two. */
  readonly labelNames: readonly string[];
}

interface HistogramOptions extends TallyOptions {
  /** Upper bounds, in ascending order. */
  readonly buckets: readonly number[];
}

interface Series<Tally> {
  readonly labels: Readonly<Record<string, string>>;
  readonly tally: Tally;
}

/** Counter that prom-client renders. A series appears with its first addition, which may be 0. */
export class CounterTally {
  readonly #series: SeriesByLabels<{ count: number }>;

  constructor(registry: Registry, { name, help, labelNames }: TallyOptions) {
    const series = new SeriesByLabels(labelNames, () => ({ count: 0 }));
    this.#series = series;
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, tally } of series.all) this.inc(labels, tally.count);
      },
    });
  }

  /** Label values in the order of their names. */
  add(count: number, first?: string, second?: string): void {
    this.#series.at(first, second).count += count;
  }
}

/** Histogram that prom-client renders. A series with labels appears with its first observation. */
export class HistogramTally {
  readonly #series: SeriesByLabels<BucketCounts>;

  constructor(registry: Registry, options: HistogramOptions) {
    const { labelNames, buckets } = options;
    this.#series = new SeriesByLabels(labelNames, () => new BucketCounts(buckets));
    if (labelNames.length === 0) this.#series.at();
    new RenderedHistogram(registry, options, this.#series.all);
  }

  /** Label values in the order of their names. */
  observe(value: number, first?: string, second?: string): void {
    invariant(Number.isFinite(value), 'an observation is a finite number');
    this.#series.at(first, second).observe(value);
  }
}

/** Tallies by the values of their labels, made when first needed. Their labels are made once. */
class SeriesByLabels<Tally extends object> {
  /** In the order of their first use. */
  readonly all: Series<Tally>[] = [];
  readonly #labelNames: readonly string[];
  readonly #make: () => Tally;
  readonly #tallies = new Map<string, Map<string, Tally>>();

  constructor(labelNames: readonly string[], make: () => Tally) {
    this.#labelNames = labelNames;
    this.#make = make;
  }

  at(first = '', second = ''): Tally {
    return this.#tallies.get(first)?.get(second) ?? this.#add(first, second);
  }

  #add(first: string, second: string): Tally {
    const tally = this.#make();
    const values = [first, second];
    this.all.push({ labels: Object.fromEntries(this.#labelNames.map((name, i) => [name, values[i] ?? ''])), tally });
    const ofFirst = this.#tallies.get(first) ?? new Map<string, Tally>();
    this.#tallies.set(first, ofFirst.set(second, tally));
    return tally;
  }
}

class BucketCounts {
  readonly #upperBounds: readonly number[];
  /** By bucket, not cumulative; the last one has no bound. Doubles, because 32 bits overflow within weeks. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(upperBounds: readonly number[]) {
    this.#upperBounds = upperBounds;
    this.#counts = new Float64Array(upperBounds.length + 1);
  }

  observe(value: number): void {
    const index = bucketIndex(this.#upperBounds, value);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Counts up to each bound, and of all observations. */
  cumulative(): readonly number[] {
    let sum = 0;
    return Array.from(this.#counts, (count) => {
      sum += count;
      return sum;
    });
  }
}

/** Registered with prom-client in place of its own values; nothing calls its `observe`. */
class RenderedHistogram extends Histogram<string> {
  readonly #options: HistogramOptions;
  readonly #all: readonly Series<BucketCounts>[];

  constructor(registry: Registry, options: HistogramOptions, all: readonly Series<BucketCounts>[]) {
    const { name, help, labelNames, buckets } = options;
    super({ name, help, labelNames, buckets: [...buckets], registers: [registry] });
    this.#options = options;
    this.#all = all;
  }

  /** Form in which prom-client renders; its `get` is made from it. `le` comes first in the text. */
  getForPromString() {
    const { name, help, buckets } = this.#options;
    const values = this.#all.flatMap(({ labels: sharedLabels, tally }) => {
      const counts = tally.cumulative();
      const part = (suffix: string, value: number, labels: Readonly<Record<string, string | number>> = {}) => ({
        metricName: `${name}_${suffix}`,
        labels,
        sharedLabels,
        value,
      });
      return [
        ...counts.map((count, i) => part('bucket', count, { le: buckets[i] ?? '+Inf' })),
        part('sum', tally.sum),
        part('count', counts.at(-1) ?? 0),
      ];
    });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
