/**
 * Load of the router with the most load, as an observation of the lead. A balancer spreads the requests, so that is about
 * an equal share of all arrivals. The lead counts its own arrivals exactly, those of others about a moment later.
 */
import { type LoadObservation, loadAtRouter } from '@equipoise/core/model';

const KEPT_SECONDS = 600;
/** Time over which the shares of the routers are compared. */
const COMPARED_SECONDS = 60;
/** With fewer requests, shares differ by chance. */
const LEAST_REQUESTS = 1000;

interface Counted {
  arrived: number;
  notedAtMs: number;
  /** Arrivals by second. */
  readonly seconds: Map<number, number>;
}

export class RouterLoad {
  readonly #routers = new Map<string, Counted>();

  /**
   * Notes the arrivals of a router since its start. They count for the time since the last note, which is long if one of
   * the two routers was busy or stopped. Otherwise a pause would look like a burst.
   */
  note(id: string, arrived: number, nowMs: number): void {
    const known = this.#routers.get(id);
    if (known === undefined) {
      this.#routers.set(id, { arrived, notedAtMs: nowMs, seconds: new Map() });
      return;
    }
    const now = secondOf(nowMs);
    const { seconds, notedAtMs } = known;
    const arrivals = Math.max(0, arrived - known.arrived);
    const until = (second: number): number => {
      const fraction = second >= now ? 1 : (1000 * (second + 1) - notedAtMs) / Math.max(1, nowMs - notedAtMs);
      return Math.round(arrivals * Math.max(0, fraction));
    };
    for (let second = Math.max(secondOf(notedAtMs), now - KEPT_SECONDS + 1); second <= now; second++)
      seconds.set(second, (seconds.get(second) ?? 0) + until(second) - until(second - 1));
    known.arrived = arrived;
    known.notedAtMs = nowMs;
    for (const second of seconds.keys()) if (second <= now - KEPT_SECONDS) seconds.delete(second);
  }

  /** Forgets a router when its last arrivals are old. */
  prune(liveIds: ReadonlySet<string>, nowMs: number): void {
    for (const [id, { seconds }] of this.#routers) {
      const latest = Math.max(Number.NEGATIVE_INFINITY, ...seconds.keys());
      if (!liveIds.has(id) && latest <= secondOf(nowMs) - KEPT_SECONDS) this.#routers.delete(id);
    }
  }

  /** `own`: load of this router, whose id is `ownId`; `count`: number of routers that serve. */
  load(
    own: LoadObservation,
    { ownId, count, nowMs }: { ownId: string; count: number; nowMs: number },
  ): LoadObservation {
    const others = [...this.#routers].filter(([id]) => id !== ownId).map(([, counted]) => counted);
    const first = secondOf(nowMs) - own.arrivalsPerSecond.length;
    const arrivalsPerSecond = own.arrivalsPerSecond.map((arrivals, index) =>
      others.reduce((sum, { seconds }) => sum + (seconds.get(first + index) ?? 0), arrivals),
    );
    const ratio = ratioOfSums(arrivalsPerSecond, own.arrivalsPerSecond);
    const { latest, ...rest } = own;
    const all: LoadObservation = {
      ...rest,
      arrivalsPerSecond,
      ...(latest &&
        ratio !== undefined && { latest: latest.map((each) => ({ ...each, arrivals: ratio * each.arrivals })) }),
    };
    return loadAtRouter(all, { count, unevenFraction: this.#unevenFraction(count, nowMs), spreads: 'requests' });
  }

  #unevenFraction(count: number, nowMs: number): number {
    const from = secondOf(nowMs) - COMPARED_SECONDS;
    const sums = [...this.#routers.values()].map(({ seconds }) =>
      [...seconds].reduce((sum, [second, arrivals]) => (second > from ? sum + arrivals : sum), 0),
    );
    const total = sums.reduce((sum, arrivals) => sum + arrivals, 0);
    if (total < LEAST_REQUESTS) return 0;
    return Math.min(count - 1, Math.max(0, (Math.max(...sums) * count) / total - 1));
  }
}

const secondOf = (nowMs: number): number => Math.floor(nowMs / 1000);

/** Ratio over the last 10 s; undefined without arrivals of one's own. */
function ratioOfSums(all: readonly number[], own: readonly number[]): number | undefined {
  const sum = (counts: readonly number[]): number => counts.slice(-10).reduce((total, each) => total + each, 0);
  return sum(own) === 0 ? undefined : sum(all) / sum(own);
}
