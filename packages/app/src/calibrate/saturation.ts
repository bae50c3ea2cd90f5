/**
 * The search for the saturation throughput, and loads above it. A disturbance, or a profile that is too slow, leaves
 * the search too low. Then a load above saturation may be no overload, and runs again at a higher rate.
 */
import type { MeasuredPoint } from './compared-loads.js';
import { completedFraction, completedRps, type Segment, servedTimeline } from './segment.js';
import { figuresOf } from './served-figures.js';

/** Checked overload, and that of the saturation throughput. More overload costs throughput: refusals are work. */
export const OVERLOAD = 1.1;
export const SATURATING = 1.25;
/** Largest rate of a search. */
export const MOST_RPS = 3000;
/** Takes after the first one, whatever they find. */
export const SEARCH_TAKES = 2;

/** Further segments at higher rates that a calibration may run. */
export class Raises {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  take(toRps: number): boolean {
    if (this.#left === 0 || toRps > MOST_RPS) return false;
    this.#left -= 1;
    return true;
  }
}

/** Runs a segment relative to a rate. `isExtra`: the method has no time for it. */
export type RunAt = (rps: number, isExtra: boolean) => Promise<Segment>;

/** Highest throughput (rps); 0 if nothing completed. */
export async function searchSaturation(firstRps: number, raises: Raises, run: RunAt): Promise<number> {
  let foundRps = 0;
  for (let take = 0; ; take++) {
    const arrivalRps = foundRps === 0 ? firstRps : Math.min(MOST_RPS, SATURATING * foundRps);
    const found = await run(arrivalRps, take > SEARCH_TAKES);
    // Disturbances only lower the throughput.
    foundRps = Math.max(foundRps, completedRps(found));
    if (take < SEARCH_TAKES) continue;
    const isSaturated = completedFraction(found) < betweenAllAnd(SATURATING);
    if (isSaturated || !raises.take(SATURATING * foundRps)) return foundRps;
  }
}

/**
 * Runs a load above saturation until it is an overload, each time relative to the rate that completed before. Returns
 * the last segment and its rate.
 */
export async function runOverload(
  load: MeasuredPoint['load'],
  saturationRps: number,
  raises: Raises,
  run: RunAt,
): Promise<{ readonly segment: Segment; readonly ofRps: number }> {
  let ofRps = saturationRps;
  for (let isExtra = false; ; isExtra = true) {
    const segment = await run(ofRps, isExtra);
    const { droppedFraction, completedRps: reachedRps } = figuresOf([servedTimeline(segment)]);
    // If few requests arrived by chance, few completed. Their fraction of the arrival rate is still above `ofRps`.
    const nextRps = Math.max(reachedRps, segment.arrivalRps * (1 - droppedFraction));
    if (isOverload(load, droppedFraction) || !raises.take(nextRps)) return { segment, ofRps };
    ofRps = nextRps;
  }
}

/** True if a load above saturation dropped at least half as many requests as the rate of that load requires. */
export function isOverload(load: MeasuredPoint['load'], droppedFraction: number): boolean {
  return 1 - droppedFraction <= betweenAllAnd(load === 'saturation' ? SATURATING : load);
}

/** Fraction of completed requests, halfway between all and those of an overload. */
const betweenAllAnd = (overload: number): number => (1 + 1 / overload) / 2;
