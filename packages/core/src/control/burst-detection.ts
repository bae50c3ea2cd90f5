/**
 * Bursts, seen within a second or two: the arrivals of windows of many lengths that end now, against what the planned load brings in such
 * a window by chance (a traffic envelope in the sense of Le Boudec and Thiran, Network Calculus, 2001, with a probability in place of a
 * certainty). Short windows see a great step at once, long ones a small rise that no single second shows. Only the last minute is
 * looked at, so there is nothing to remember.
 */
import type { Burst, LoadObservation } from '../model/decision.js';
import { type ArrivalEnvelope, type Burstiness, dispersionAt, type ExpectedLoad } from '../model/expected-load.js';
import { type PlannedRate, plannedArrivals } from './planned-rates.js';

const WINDOWS_S = [0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60];
/** Standard deviations that chance exceeds about once in 300,000 windows: one false alarm a day over all lengths. */
const RARE_Z = 4.5;
/** Once in 160: behind a burst it is likely that more comes than was seen of it at first. */
const LIKELY_Z = 2.5;

/** What replicas can carry (rps), and the latency within which. */
export interface Carried {
  readonly rps: number;
  readonly sloMs: number;
}

/** What bounds a window beside the load that is planned for. */
export interface WindowBounds {
  readonly carried?: Carried;
  /** Whether a burst has just been answered. */
  readonly inBurst?: boolean;
  /** The rates that were planned for in the last minute, oldest first, as seen at `nowMs`. */
  readonly before?: { readonly rates: readonly PlannedRate[]; readonly nowMs: number };
}

/**
 * The most arrivals that chance brings at the planned load, by window; where an envelope was planned for, no fewer than it has. An envelope
 * alone would not do: it is what the last minute brought, which the next one exceeds by chance every other time.
 *
 * A bursty load may bring much by chance. With `carried` that counts only as far as replicas can serve it before half of the SLO has gone by
 * waiting; but what Poisson arrivals bring is never a burst. `inBurst` asks for less. A window that reaches back `before` the present plan
 * may hold what was planned for then.
 */
export function plannedEnvelope(
  { arrivalRps, burstiness, envelope = [] }: ExpectedLoad,
  { carried, inBurst = false, before = { rates: [], nowMs: 0 } }: WindowBounds = {},
): ArrivalEnvelope {
  const z = inBurst ? LIKELY_Z : RARE_Z;
  return WINDOWS_S.map((windowS) => {
    const mean = plannedArrivals(before.rates, { windowS, arrivalRps, nowMs: before.nowMs });
    const byChance = (of: Burstiness | undefined) => mostByChance({ mean, windowS, z }, of);
    const inTime = carried ? carried.rps * (windowS + carried.sloMs / 2000) : Number.POSITIVE_INFINITY;
    const inEnvelope = envelope.filter((each) => each.windowS <= windowS).map(({ arrivals }) => arrivals);
    return { windowS, arrivals: Math.max(byChance(undefined), Math.min(byChance(burstiness), inTime), ...inEnvelope) };
  });
}

interface Chance {
  readonly mean: number;
  readonly windowS: number;
  /** Standard deviations. */
  readonly z: number;
}

/** Mean plus rare spread; the last term is the lopsidedness of counts (Cornish and Fisher), which matters where they are few. */
function mostByChance({ mean, windowS, z }: Chance, burstiness: Burstiness | undefined): number {
  const dispersion = burstiness === undefined ? 1 : dispersionAt(burstiness, windowS * 1000);
  return mean + z * Math.sqrt(dispersion * mean) + (dispersion * (z ** 2 - 1)) / 6;
}

/**
 * The burst that the last seconds show against `planned`, or undefined where all windows keep to it: of the windows that exceed it, the one
 * that shows the highest rate beyond a standard error, so that one which holds calm seconds, too, does not make it look small. `latest` are
 * windows that end now, which the last whole second may not.
 */
export function detectBurst(
  { arrivalsPerSecond, latest = [] }: Pick<LoadObservation, 'arrivalsPerSecond' | 'latest'>,
  planned: ArrivalEnvelope,
): Burst | undefined {
  let found: Burst | undefined;
  let mostRps = Number.NEGATIVE_INFINITY;
  let [inSeconds, seconds] = [0, 0];
  for (const { windowS, arrivals: plannedArrivals } of planned) {
    while (seconds < Math.min(windowS, arrivalsPerSecond.length)) {
      seconds += 1;
      inSeconds += arrivalsPerSecond[arrivalsPerSecond.length - seconds] as number;
    }
    const whole = seconds === windowS ? inSeconds : 0;
    const arrivals = Math.max(whole, ...latest.filter((each) => each.windowS === windowS).map((each) => each.arrivals));
    const leastRps = (arrivals - Math.sqrt(arrivals)) / windowS;
    if (arrivals <= plannedArrivals || leastRps <= mostRps) continue;
    mostRps = leastRps;
    found = { windowS, arrivals, plannedArrivals, rateRps: arrivals / windowS };
  }
  return found;
}
