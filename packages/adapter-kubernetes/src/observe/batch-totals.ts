/** Service times of batches, from the counters of all routers of a pipeline. A router counts from its first page. */
import type { VariantBatches } from './router-page.js';

type Totals = ReadonlyMap<string, VariantBatches>;

interface TotalsAt {
  /** Monotonic. */
  readonly atMs: number;
  readonly totals: Totals;
}

/** Batches that all routers counted within `seconds`. */
export interface CountedBatches {
  readonly batches: readonly VariantBatches[];
  readonly seconds: number;
}

const WINDOW_MS = 60_000;

const keyOf = ({ stage, variant }: VariantBatches): string => JSON.stringify([stage, variant]);

export class BatchTotals {
  readonly #pages = new Map<string, Totals>();
  #series: TotalsAt[] = [];
  #taken: TotalsAt | undefined;

  addPage(router: string, batches: readonly VariantBatches[], atMs: number): void {
    const before = this.#pages.get(router);
    this.#pages.set(router, new Map(batches.map((each) => [keyOf(each), each])));
    const last = this.#series.at(-1)?.totals ?? new Map<string, VariantBatches>();
    const next = new Map(last);
    for (const each of before === undefined ? [] : batches) {
      const key = keyOf(each);
      const more = growth(each, before?.get(key));
      const sum = next.get(key);
      next.set(key, sum === undefined ? more : plus(sum, more, 1));
    }
    this.#series.push({ atMs, totals: next });
    this.#taken ??= { atMs, totals: new Map() };
    while ((this.#series[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - WINDOW_MS) this.#series.shift();
  }

  removeRouter(router: string): void {
    this.#pages.delete(router);
  }

  /** Batches of the last minute. */
  window(): CountedBatches {
    return growthBetween(this.#series[0], this.#series.at(-1));
  }

  /** Batches since the last call. */
  take(): CountedBatches {
    const last = this.#series.at(-1);
    const taken = growthBetween(this.#taken, last);
    if (last !== undefined) this.#taken = last;
    return taken;
  }
}

/** Restarted counters count from zero. */
function growth(now: VariantBatches, before: VariantBatches | undefined): VariantBatches {
  return before === undefined || now.count < before.count ? now : plus(now, before, -1);
}

const plus = (a: VariantBatches, b: VariantBatches, sign: 1 | -1): VariantBatches => ({
  ...a,
  count: a.count + sign * b.count,
  items: a.items + sign * b.items,
  serviceS: a.serviceS + sign * b.serviceS,
});

function growthBetween(first: TotalsAt | undefined, last: TotalsAt | undefined): CountedBatches {
  if (first === undefined || last === undefined) return { batches: [], seconds: 0 };
  const batches = [...last.totals].flatMap(([key, each]) => {
    const before = first.totals.get(key);
    const more = before === undefined ? each : plus(each, before, -1);
    return more.count > 0 ? [more] : [];
  });
  return { batches, seconds: (last.atMs - first.atMs) / 1000 };
}
