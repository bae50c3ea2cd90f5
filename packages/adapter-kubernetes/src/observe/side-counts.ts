import type { SideCount } from '@equipoise/core/model';
import type { RouterPage } from './router-page.js';

/** Side of a canary: the serving routers, or the canary router. */
export type Side = 'before' | 'after';

export interface Sides {
  readonly before: SideCount;
  readonly after: SideCount;
  readonly passedOn: number;
  readonly observedMs: number;
}

interface Totals extends Pick<Sides, Side | 'passedOn'> {
  readonly atMs: number;
}

type Counters = Pick<RouterPage, 'endedTotal' | 'withinSloTotal' | 'passedOnTotal'>;

/** Time for which counts are kept, longer than a step of a canary. */
const KEPT_MS = 180_000;
const NOTHING: SideCount = { ended: 0, missed: 0 };

/** Counts by side; instants are monotonic. Counts of a router begin with its first page. */
export class SideCounts {
  readonly #counters = new Map<string, Counters>();
  readonly #series: Totals[] = [];

  addPage(router: string, side: Side, page: Counters, atMs: number): void {
    const before = this.#counters.get(router);
    this.#counters.set(router, page);
    const last = this.#series.at(-1) ?? { before: NOTHING, after: NOTHING, passedOn: 0 };
    const { passedOn, ...more } = counterGrowth(page, before);
    this.#series.push({ ...last, [side]: add(last[side], more), passedOn: last.passedOn + passedOn, atMs });
    while ((this.#series[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - KEPT_MS) this.#series.shift();
  }

  removeRouter(router: string): void {
    this.#counters.delete(router);
  }

  /** Counts since an instant, or since the oldest known counts. */
  since(atMs: number): Sides {
    const last = this.#series.at(-1);
    const [oldest] = this.#series;
    const first =
      oldest !== undefined && oldest.atMs < atMs ? this.#series.findLast((totals) => totals.atMs <= atMs) : oldest;
    if (last === undefined || first === undefined)
      return { before: NOTHING, after: NOTHING, passedOn: 0, observedMs: 0 };
    return {
      before: subtract(last.before, first.before),
      after: subtract(last.after, first.after),
      passedOn: last.passedOn - first.passedOn,
      observedMs: last.atMs - first.atMs,
    };
  }
}

/** Restarted counters count from zero. */
function counterGrowth(page: Counters, before: Counters | undefined): SideCount & Pick<Sides, 'passedOn'> {
  if (before === undefined) return { ...NOTHING, passedOn: 0 };
  const from = page.endedTotal < before.endedTotal ? { endedTotal: 0, withinSloTotal: 0, passedOnTotal: 0 } : before;
  const ended = page.endedTotal - from.endedTotal;
  const missed = ended - (page.withinSloTotal - from.withinSloTotal);
  return { ended, missed, passedOn: page.passedOnTotal - from.passedOnTotal };
}

const add = (a: SideCount, b: SideCount): SideCount => ({ ended: a.ended + b.ended, missed: a.missed + b.missed });
const subtract = (a: SideCount, b: SideCount): SideCount => ({ ended: a.ended - b.ended, missed: a.missed - b.missed });
