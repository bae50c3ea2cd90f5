/**
 * Bursts, seen within a second or two: the arrivals of windows of many lengths that end now, against what the planned load brings in such
 * a window by chance (a traffic envelope in the sense of Le Boudec and Thiran, Network Calculus, 2001, with a probability in place of a
 * certainty). Short windows see a great step at once, long ones a small rise that no single second shows. Only the last minute is
 * looked at, so there is nothing to remember.
 */
import type { Burst } from '../model/burst.js';
import { type Burstiness, dispersionAt } from '../model/burstiness.js';
import type { ArrivalEnvelope, ExpectedLoad } from '../model/expected-load.js';

const WINDOWS_S = [1, 2, 3, 5, 8, 12, 20, 30, 60];
/** Standard deviations that chance exceeds about once in 300,000 windows: one false alarm a day over all lengths. */
const RARE_Z = 4.5;

/** What replicas can carry (rps), and the latency within which. */
export interface Carried {
  readonly rps: number;
  readonly sloMs: number;
}

/**
 * The most arrivals that chance brings at the planned load, by window; where an envelope was planned for, no fewer than it has. An envelope
 * alone would not do: it is what the last minute brought, which the next one exceeds by chance every other time.
 *
 * A bursty load may bring much by chance. With `carried` that counts only as far as replicas can serve it before half of the SLO has gone by
 * waiting; but what Poisson arrivals bring is never a burst.
 */
export function plannedEnvelope(
  { arrivalRps, burstiness, envelope = [] }: ExpectedLoad,
  carried: Carried = { rps: Number.POSITIVE_INFINITY, sloMs: 0 },
): ArrivalEnvelope {
  return WINDOWS_S.map((windowS) => {
    const byChance = (of: Burstiness | undefined) => mostByChance(arrivalRps * windowS, windowS, of);
    const inTime = carried.rps * (windowS + carried.sloMs / 2000);
    const inEnvelope = envelope.filter((each) => each.windowS <= windowS).map(({ arrivals }) => arrivals);
    return { windowS, arrivals: Math.max(byChance(undefined), Math.min(byChance(burstiness), inTime), ...inEnvelope) };
  });
}

/** Mean plus rare spread; the last term is the lopsidedness of counts (Cornish and Fisher), which matters where they are few. */
function mostByChance(mean: number, windowS: number, burstiness: Burstiness | undefined): number {
  const dispersion = burstiness === undefined ? 1 : dispersionAt(burstiness, windowS * 1000);
  return mean + RARE_Z * Math.sqrt(dispersion * mean) + (dispersion * (RARE_Z ** 2 - 1)) / 6;
}

/** The burst that the last seconds show against `planned`, or undefined where all windows keep to it. */
export function detectBurst(arrivalsPerSecond: readonly number[], planned: ArrivalEnvelope): Burst | undefined {
  let found: Burst | undefined;
  let most = 1;
  let [arrivals, seconds] = [0, 0];
  for (const { windowS, arrivals: plannedArrivals } of planned) {
    if (windowS > arrivalsPerSecond.length) break;
    while (seconds < windowS) {
      seconds += 1;
      arrivals += arrivalsPerSecond[arrivalsPerSecond.length - seconds] as number;
    }
    const excess = arrivals / plannedArrivals;
    if (excess <= most) continue;
    most = excess;
    found = { windowS, arrivals, plannedArrivals, rateRps: arrivals / windowS };
  }
  return found;
}
