/**
 * Is a change to be taken back? For a while after a change that was but an improvement, requests that are dropped or fail count against it:
 * when they burn the error budget of the SLO many times faster than it allows, beside what failed before the change, though no more arrives
 * than was planned for, the plan before is put back, and no other improvement is tried until a back-off has passed, which doubles each time.
 */
import type { Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Slo } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import { fastestMissFraction } from '../serve/rollout/canary.js';
import { TRIAL_MS } from '../serve/rollout/trial.js';
import { arrivedIn, FEWEST_ARRIVALS } from './failure-record.js';

/** A change on trial. */
export interface Trial {
  readonly before: Plan;
  /** What the plan before was good for. */
  readonly beforeLoad: ExpectedLoad;
  readonly sinceMs: number;
  /** Requests that had been dropped or had failed by then. */
  readonly missedAtStart: number;
  /** Fraction of the requests that failed before it, by what no plan causes; 0 when left out. */
  readonly failedBefore?: number;
}

/** How a trial stands. */
export type TrialVerdict = 'open' | 'passed' | 'failed';

/** What is missed within the first seconds belongs to the change itself. */
const SETTLING_MS = 3_000;

/** Leaves out of a trial what is missed while its change settles. */
export function settling(trial: Trial, observation: Observation): Trial {
  const elapsedMs = observation.atMs - trial.sinceMs;
  const settles = elapsedMs >= 0 && elapsedMs <= SETTLING_MS;
  return settles ? { ...trial, missedAtStart: missedOf(observation) } : trial;
}

/** Requests dropped so far at all stages, and those that failed by what the plan may have caused. */
export function missedOf({ stages, failedTotal = 0 }: Observation): number {
  return Object.values(stages).reduce((sum, { droppedTotal }) => sum + droppedTotal, failedTotal);
}

/** Judges a trial at a tick; one that began later than now, on a clock that was set back, is over. */
export function judgeTrial(trial: Trial, observation: Observation, { percentile }: Slo): TrialVerdict {
  const elapsedMs = observation.atMs - trial.sinceMs;
  const seconds = Math.max(0, Math.floor((elapsedMs - SETTLING_MS) / 1000));
  const arrived = arrivedIn(observation.load, seconds);
  const missed = missedOf(observation) - trial.missedAtStart;
  const isTelling = elapsedMs > SETTLING_MS && arrived >= FEWEST_ARRIVALS;
  const mostMissed = (fastestMissFraction(percentile) + (trial.failedBefore ?? 0)) * arrived;
  if (isTelling && missed > mostMissed) return 'failed';
  return elapsedMs >= TRIAL_MS || elapsedMs < 0 ? 'passed' : 'open';
}

/** Whether a change may still be on trial: it began no later than now, and not too long ago. */
export function isUnderTrial({ sinceMs }: Trial, nowMs: number): boolean {
  return sinceMs <= nowMs && nowMs - sinceMs < TRIAL_MS;
}
