/**
 * May more of the traffic go to the new side of a change? While both sides serve, what each of them ended and missed since the step began is
 * compared. The new side may miss as much as the SLO allows, or as the old one does at the same time: what hurts both is no reason to go back.
 * It burns the error budget no faster than a change on trial may (slo-burn).
 */
import type { Slo } from '../model/pipeline-spec.js';
import { FEWEST_ARRIVALS } from './failure-record.js';
import { fastestMissFraction } from './slo-burn.js';

/** Requests of one side; those that missed were late, failed or were dropped. */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
}

/** Both sides since the step began. */
export interface ShiftStep {
  readonly before: SideCount;
  readonly after: SideCount;
  /** Since the step began, in ms. */
  readonly elapsedMs: number;
  /** Requests that were passed on to the new side; what comes by other ways than those that are shared does not count. */
  readonly passedOn: number;
}

/** How a step stands: with `urgent` all requests should go to the new side now; `failed` says why, to be read behind the name of that side. */
export type ShiftVerdict =
  | { readonly kind: 'open' | 'passed' | 'urgent' }
  | { readonly kind: 'failed'; readonly why: string };

/** The shortest step, but for one that an old side that fails makes urgent. */
const STEP_MS = 15_000;
/** With so little traffic that a fraction says nothing, a step goes on after this. */
const LONGEST_STEP_MS = 60_000;
/** Standard errors beyond which a difference of the two sides is not chance (1 % on one side). */
const CLEAR_Z = 2.33;
/** A new side that ends less than this part of what is passed on to it is not reached. */
const LEAST_REACHED_FRACTION = 0.5;
/** Passed-on requests that tell that much when the time is over; of fewer, one that is still under way would decide. */
const FEWEST_PASSED_ON = 5;

/** Judges a step; call it as often as there is news. */
export function judgeShift(
  { before, after, elapsedMs, passedOn }: ShiftStep,
  { percentile }: Pick<Slo, 'percentile'>,
): ShiftVerdict {
  const [old, fresh] = [missFraction(before), missFraction(after)];
  const isTelling = after.ended >= FEWEST_ARRIVALS;
  const text = `${after.missed} of its ${after.ended} requests missed the SLO, ${before.missed} of ${before.ended} beside it`;
  const fastest = fastestMissFraction(percentile);
  if (isTelling && fresh > fastest + old) return { kind: 'failed', why: text };
  if (isBurning(before, percentile) && isTelling && fresh <= old) return { kind: 'urgent' };
  if (elapsedMs < STEP_MS) return { kind: 'open' };
  const isOver = elapsedMs >= LONGEST_STEP_MS;
  const fewestPassedOn = isOver ? FEWEST_PASSED_ON : FEWEST_ARRIVALS;
  if (passedOn >= fewestPassedOn && after.ended < LEAST_REACHED_FRACTION * passedOn)
    return { kind: 'failed', why: `it ended ${after.ended} of the ${passedOn} requests that were passed on to it` };
  if (!isTelling && !isOver) return { kind: 'open' };
  const isGood = fresh <= 1 - percentile / 100 || !isClearlyMore(after, before);
  if (isGood) return { kind: 'passed' };
  return isOver ? { kind: 'failed', why: text } : { kind: 'open' };
}

/** Whether what serves burns the error budget so fast that a change away from it cannot wait for steps. */
export function isBurning(side: SideCount, percentile: number): boolean {
  return side.ended >= FEWEST_ARRIVALS && missFraction(side) > fastestMissFraction(percentile);
}

const missFraction = ({ ended, missed }: SideCount): number => (ended === 0 ? 0 : missed / ended);

/** Whether one side misses more than the other beyond chance: two shares, compared at their common one; without a word of the other, at none. */
function isClearlyMore(one: SideCount, other: SideCount): boolean {
  const common = (one.missed + other.missed) / (one.ended + other.ended);
  const error = Math.sqrt(common * (1 - common) * (1 / one.ended + 1 / Math.max(1, other.ended)));
  return missFraction(one) - missFraction(other) > CLEAR_Z * error;
}
