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
  /** Arrivals by second. */
  readonly seconds: Map<number, number>;
}

export class RouterLoad {
  readonly #routers = new Map<string, Counted>();

  /** Notes the arrivals of a router since its start. */
  note(id: string, arrived: number, nowMs: number): void {
    const known = this.#routers.get(id);
    if (known === undefined) {
      this.#routers.set(id, { arrived, seconds: new Map() });
      return;
    }
    const now = secondOf(nowMs);
    known.seconds.set(now, (known.seconds.get(now) ?? 0) + Math.max(0, arrived - known.arrived));
    known.arrived = arrived;
    for (const second of known.seconds.keys()) if (second <= now - KEPT_SECONDS) known.seconds.delete(second);
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
