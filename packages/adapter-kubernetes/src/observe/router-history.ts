/**
 * Combines the pages of all routers into one load. If a page shows arrivals by second, each is counted in its second;
 * otherwise the growth of the counter is spread evenly over the time since the last page. A router older than the history
 * counts from its first page, a new router from its start.
 */
import type { ArrivalEnvelope, Burstiness, LoadObservation, Observation } from '@equipoise/core/model';
import { pageGrowth } from './page-growth.js';
import type { RouterPage } from './router-page.js';
import { noTotals, plusPage, type ServedTotals } from './served-totals.js';

const KEPT_SECONDS = 600;
const WINDOW_MS = 60_000;
/** Time (ms) for which a burstiness is kept: a new router has none yet. */
const BURSTINESS_KEPT_MS = 600_000;

/** Outcomes of the last minute, or of its observed part. */
export interface RouterWindow {
  readonly arrivalRps: number;
  /** Missing if nothing completed. */
  readonly latencyMs?: number;
  /** Missing without outcomes. */
  readonly sloAttainmentFraction?: number;
}

const NO_LATENCIES: ReadonlyMap<number, number> = new Map();

interface Known {
  readonly page?: RouterPage;
  readonly atMs: number;
  /** Seconds of the router minus seconds of the history, and the next second of the router to count. */
  readonly grid?: { readonly offset: number; readonly next: number };
}

/** A larger difference between the clocks of router and history moves the grid. */
const MOST_DRIFT_S = 1;

interface Totals {
  readonly atMs: number;
  readonly arrived: number;
  readonly ended: number;
  readonly withinSlo: number;
  /** Counts by the upper bound (s) of their latency. */
  readonly latencies: ReadonlyMap<number, number>;
}

/** History of all routers; instants are monotonic. */
export class RouterHistory {
  readonly #startedAtMs: number;
  readonly #routers = new Map<string, Known>();
  /** Routers that terminate, or neither serve nor answer. The load does not wait for their pages, but counts them. */
  readonly #unawaited = new Set<string>();
  /** Arrivals by whole second since the start; fractional where a gap was spread. */
  readonly #seconds = new Map<number, number>();
  readonly #droppedByStage = new Map<string, number>();
  #served = noTotals;
  #totals: Totals[] = [];
  #firstSecond = 0;
  #burstiness: { readonly value: Burstiness; readonly atMs: number } | undefined;

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  get hasPages(): boolean {
    return this.#totals.length > 0;
  }

  addRouter(router: string, atMs: number): void {
    if (!this.#routers.has(router)) this.#routers.set(router, { atMs });
  }

  /** The load is incomplete without the page of an awaited router. */
  setAwaited(router: string, isAwaited: boolean): void {
    if (isAwaited) this.#unawaited.delete(router);
    else this.#unawaited.add(router);
  }

  removeRouter(router: string): void {
    this.#routers.delete(router);
    this.#unawaited.delete(router);
  }

  lastPageAtMs(router: string): number | undefined {
    const known = this.#routers.get(router);
    return known?.page === undefined ? undefined : known.atMs;
  }

  addPage(router: string, page: RouterPage, atMs: number): void {
    const before = this.#routers.get(router) ?? { atMs };
    const isOld = before.page === undefined && before.atMs <= this.#startedAtMs;
    const grid = this.#gridOf(page, before, atMs);
    this.#routers.set(router, { page, atMs, ...(grid && { grid }) });
    if (page.burstiness !== undefined) this.#burstiness = { value: page.burstiness, atMs };
    if (!this.hasPages) this.#begin(isOld ? atMs : before.atMs, isOld);
    if (isOld) this.#remember({ ...this.#last, atMs });
    else {
      const growth = pageGrowth(page, before.page);
      if (grid === undefined) this.#spread(growth.arrivedTotal, { fromMs: before.atMs, toMs: atMs });
      else
        this.#countSeconds(page.seconds?.counts ?? [], {
          offset: grid.offset,
          next: grid.next,
          from: firstToCount(before, page),
        });
      this.#count(growth, atMs);
    }
  }

  /** The seconds of a page on those of the history; the offset stays the same, so that no two seconds become one. */
  #gridOf({ seconds, arrivedTotal }: RouterPage, before: Known, atMs: number): Known['grid'] {
    if (seconds === undefined) return undefined;
    const next = seconds.last + 1;
    const offset = next - Math.round((atMs - this.#startedAtMs - seconds.sinceMs) / 1000);
    const old = before.grid;
    const isSame =
      old !== undefined &&
      next >= old.next &&
      arrivedTotal >= (before.page?.arrivedTotal ?? 0) &&
      Math.abs(offset - old.offset) <= MOST_DRIFT_S;
    return { offset: isSame ? old.offset : offset, next };
  }

  #countSeconds(
    counts: readonly number[],
    { offset, next, from }: { readonly offset: number; readonly next: number; readonly from: number },
  ): void {
    const first = next - counts.length;
    counts.forEach((count, index) => {
      const second = first + index - offset;
      if (first + index >= from && second >= 0) this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + count);
    });
    this.#forgetSeconds(next - offset);
  }

  /** Counts of all routers since their first page. */
  get served(): ServedTotals {
    return this.#served;
  }

  /** Latency (ms) of the completed requests between two totals of latencies; undefined without any. */
  latencySince(before: ReadonlyMap<number, number>, fraction: number): number | undefined {
    return quantileMs(latencyGrowth(this.latencies, before), fraction);
  }

  /** Completed requests so far, by the upper bound (s) of their latency. */
  get latencies(): ReadonlyMap<number, number> {
    return this.#totals.at(-1)?.latencies ?? NO_LATENCIES;
  }

  /** Load up to the last second that all awaited routers have reported. */
  load(nowMs: number): LoadObservation {
    const burstiness = this.#burstiness;
    const isKnown = burstiness !== undefined && nowMs - burstiness.atMs <= BURSTINESS_KEPT_MS;
    return {
      arrivalsPerSecond: this.#arrivalsPerSecond(),
      latest: this.#latest(),
      ...(isKnown && { burstiness: burstiness.value }),
    };
  }

  stages(): Readonly<Record<string, { readonly queueLength: number; readonly droppedTotal: number }>> {
    const pages = [...this.#routers.values()].flatMap(({ page }) => (page === undefined ? [] : [page]));
    const names = new Set([...this.#droppedByStage.keys(), ...pages.flatMap(({ stages }) => Object.keys(stages))]);
    return Object.fromEntries(
      [...names].map((name) => [
        name,
        {
          queueLength: pages.reduce((sum, { stages }) => sum + (stages[name]?.queueLength ?? 0), 0),
          droppedTotal: this.#droppedByStage.get(name) ?? 0,
        },
      ]),
    );
  }

  /** Outcomes of the window; undefined if less than a second was observed. */
  window(percentile: number): RouterWindow | undefined {
    const [first] = this.#totals;
    const last = this.#totals.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < 1000) return undefined;
    const lengthS = (last.atMs - first.atMs) / 1000;
    const ended = last.ended - first.ended;
    const latencyMs = quantileMs(latencyGrowth(last.latencies, first.latencies), percentile / 100);
    return {
      arrivalRps: (last.arrived - first.arrived) / lengthS,
      ...(latencyMs !== undefined && { latencyMs }),
      ...(ended > 0 && { sloAttainmentFraction: (last.withinSlo - first.withinSlo) / ended }),
    };
  }

  /** Requests that ended in the window, and those of them that missed the SLO. */
  outcomes(): NonNullable<Observation['outcomes']> {
    const [first] = this.#totals;
    const last = this.#totals.at(-1);
    if (first === undefined || last === undefined) return { ended: 0, missed: 0 };
    const ended = last.ended - first.ended;
    return { ended, missed: Math.max(0, ended - (last.withinSlo - first.withinSlo)) };
  }

  get #last(): Totals {
    return this.#totals.at(-1) as Totals;
  }

  #begin(atMs: number, isOld: boolean): void {
    const second = (atMs - this.#startedAtMs) / 1000;
    this.#firstSecond = isOld ? Math.ceil(second) : Math.floor(second);
    this.#totals = [{ atMs, arrived: 0, ended: 0, withinSlo: 0, latencies: new Map() }];
  }

  #count(more: RouterPage, atMs: number): void {
    this.#served = plusPage(this.#served, more);
    for (const [stage, { droppedTotal }] of Object.entries(more.stages))
      this.#droppedByStage.set(stage, (this.#droppedByStage.get(stage) ?? 0) + droppedTotal);
    const { arrived, ended, withinSlo, latencies } = this.#last;
    const together = new Map(latencies);
    for (const { upToS, count } of more.latencies) together.set(upToS, (together.get(upToS) ?? 0) + count);
    this.#remember({
      atMs,
      arrived: arrived + more.arrivedTotal,
      ended: ended + more.endedTotal,
      withinSlo: withinSlo + more.withinSloTotal,
      latencies: together,
    });
  }

  #remember(totals: Totals): void {
    this.#totals.push(totals);
    // The newest page before the window is its base.
    while ((this.#totals[1]?.atMs ?? Number.POSITIVE_INFINITY) <= totals.atMs - WINDOW_MS) this.#totals.shift();
  }

  #spread(arrivals: number, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): void {
    const [from, to] = [fromMs - this.#startedAtMs, toMs - this.#startedAtMs];
    const running = Math.floor(to / 1000);
    for (let second = Math.max(0, Math.floor(from / 1000)); second <= running; second++) {
      const overlapMs = Math.min(to, (second + 1) * 1000) - Math.max(from, second * 1000);
      const share = to > from ? Math.max(0, overlapMs) / (to - from) : second === running ? 1 : 0;
      this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + arrivals * share);
    }
    this.#forgetSeconds(running);
  }

  #forgetSeconds(running: number): void {
    for (const second of this.#seconds.keys()) {
      if (second > running - KEPT_SECONDS - 1) break;
      this.#seconds.delete(second);
    }
  }

  /** Rounds the running sum, so that fractions are not lost. */
  #arrivalsPerSecond(): readonly number[] {
    const awaited = this.#awaited();
    if (awaited.length === 0) return [];
    const reported = ({ atMs, grid }: Known): number =>
      grid === undefined ? Math.floor((atMs - this.#startedAtMs) / 1000) : grid.next - grid.offset;
    const running = Math.min(...awaited.map(reported));
    const first = Math.max(this.#firstSecond, running - KEPT_SECONDS);
    let sum = 0;
    return Array.from({ length: Math.max(0, running - first) }, (_, index) => {
      const before = Math.round(sum);
      sum += this.#seconds.get(first + index) ?? 0;
      return Math.round(sum) - before;
    });
  }

  #awaited(): readonly (Known & { readonly page: RouterPage })[] {
    return [...this.#routers].flatMap(([router, known]) =>
      known.page === undefined || this.#unawaited.has(router) ? [] : [{ ...known, page: known.page }],
    );
  }

  #latest(): ArrivalEnvelope {
    const sums = new Map<number, number>();
    for (const { page } of this.#awaited())
      for (const { windowS, arrivals } of page.latest) sums.set(windowS, (sums.get(windowS) ?? 0) + arrivals);
    return [...sums].sort(([a], [b]) => a - b).map(([windowS, arrivals]) => ({ windowS, arrivals }));
  }
}

/** First second of a page to count: what the page before showed is counted, unless the router has restarted. */
function firstToCount({ page, grid }: Known, { arrivedTotal, seconds }: RouterPage): number {
  const isRestarted =
    page !== undefined && (arrivedTotal < page.arrivedTotal || (seconds?.last ?? 0) + 1 < (grid?.next ?? 0));
  if (isRestarted || page === undefined) return 0;
  return grid?.next ?? (seconds?.last ?? 0) + 1;
}

function latencyGrowth(
  last: ReadonlyMap<number, number>,
  first: ReadonlyMap<number, number>,
): readonly [number, number][] {
  return [...last]
    .map(([upToS, count]): [number, number] => [upToS, count - (first.get(upToS) ?? 0)])
    .sort(([a], [b]) => a - b);
}

/** Quantile by interpolation; the lower bound in an unbounded range. */
function quantileMs(ranges: readonly [number, number][], fraction: number): number | undefined {
  const total = ranges.reduce((sum, [, count]) => sum + count, 0);
  if (total <= 0) return undefined;
  let [below, belowS] = [0, 0];
  for (const [upToS, count] of ranges) {
    if (count > 0 && below + count >= fraction * total) {
      const partS = Number.isFinite(upToS) ? (upToS - belowS) * ((fraction * total - below) / count) : 0;
      return 1000 * (belowS + partS);
    }
    below += count;
    if (Number.isFinite(upToS)) belowS = upToS;
  }
  return 1000 * belowS;
}
