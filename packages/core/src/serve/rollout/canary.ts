/**
 * Policy of a canary: a new variant gets the requests in steps. The outcomes of both sides decide if a step passes
 * (docs/explain/control.md, A new variant).
 *
 * The test is sequential, so it may be evaluated at any time. The evidence is a mixture of likelihood ratios of the new
 * side's outcomes against the allowed rate. By Ville's inequality it exceeds 1/α with a chance of at most α over the
 * whole canary (Robbins 1970; Ramdas et al., Game-theoretic statistics and safe anytime-valid inference, 2023).
 * Outcomes should be independent, so count batches, not items.
 */

import type { CanaryCounts, CanaryScores, SideCount, SlownessEvidence } from '../../model/canary-counts.js';
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';

export interface CanaryRules {
  readonly stages: ReadonlySet<StageId>;
  readonly percentile: number;
}

/** A stage whose items may not run twice switches at once. */
export function canaryRules({ stages, control, slo }: Pick<PipelineSpec, 'stages' | 'control' | 'slo'>): CanaryRules {
  const repeatable = control.canary === false ? [] : stages.filter(({ idempotent = true }) => idempotent);
  return { stages: new Set(repeatable.map(({ id }) => id)), percentile: slo.percentile };
}

/** Fractions of the requests that a new variant gets, before it gets all. */
export const canaryFractions: readonly number[] = [0.1, 0.5];

export interface CanaryStep extends CanaryCounts {
  readonly fraction: number;
  readonly elapsedMs: number;
  /** Unit of the counted outcomes of the new side; default requests. */
  readonly unit?: 'requests' | 'batches';
  /** Requests forwarded to the new side, if it is behind a network. */
  readonly passedOn?: number;
}

/**
 * `open`: the step continues. `missingOutcomes` is 0 before the minimum time. `urgent`: send all requests to the new
 * side now.
 */
export type CanaryVerdict =
  | { readonly kind: 'passed' | 'urgent' }
  | { readonly kind: 'open'; readonly missingOutcomes: number }
  | { readonly kind: 'failed'; readonly why: string };

/** Minimum time of a step in ms, and the outcomes that it needs. */
const FIRST_STEP = { leastMs: 8_000, outcomes: 12 };
const LATER_STEP = { leastMs: 20_000, outcomes: 60 };
/** Duration of a step without any request. */
const IDLE_STEP_MS = 5_000;
/**
 * Maximum time of a step with too few outcomes or with doubts. Without an outcome of the new side, there is no limit.
 */
const LONGEST_STEP_MS = 120_000;
/** Probability that a good variant is rolled back: for misses, and for failures. */
const MISS_ALPHA = 0.002;
const FAILURE_ALPHA = 0.005;
/** Probability that a variant as fast as its profile is rolled back for service times. */
const SLOW_ALPHA = 0.002;
/** Probability that a variant as good as expected is rolled back: for its scores, and for its comparisons. */
const ACCURACY_ALPHA = 0.005;
/** Scores that count as one, because errors come in bursts. */
const BURST = 2;
/** Evidence at which a variant slower than profiled is too slow for its plan. */
const TOO_SLOW = 2;
/** With evidence above 1 ÷ this level, a step does not pass. */
export const DOUBT_ALPHA = 0.05;
/**
 * With evidence of slowness or failures above this, the last step stays open until its time limit. A good variant soon
 * falls below.
 */
const LEAST_DOUBT = 0.01;
/** Failure rate that is allowed although the old side had none. */
const FAILURE_FLOOR = 0.002;
/** With fewer misses or failures, a cold start may be the cause. */
const FEWEST_HITS = 3;
/** Largest rate of the mixture. */
const LARGEST_RATE = 0.95;
/** A new side that answers a smaller fraction of the forwarded requests is unreachable. */
const LEAST_REACHED_FRACTION = 0.5;
const TELLING_PASSED_ON = 50;
/**
 * Fewest forwarded requests that, at the time limit, prove a side unreachable. With fewer, one request in flight could
 * decide.
 */
const FEWEST_PASSED_ON = 5;
/** Maximum burn rate of the error budget. */
const FASTEST_BURN = 10;
const FEWEST_OUTCOMES = 50;

/** Fraction of the next step; 1 after the last. */
export function nextFraction(fraction: number): number {
  return canaryFractions.find((each) => each > fraction) ?? 1;
}

export function judgeCanary(step: CanaryStep, { percentile }: { readonly percentile: number }): CanaryVerdict {
  const { before, after, slowness } = step;
  const evidence = evidenceOf(step, percentile);
  if (evidence.failures > 1 / FAILURE_ALPHA) return { kind: 'failed', why: failureText(step) };
  if (evidence.misses > 1 / MISS_ALPHA) return { kind: 'failed', why: missText(step) };
  if (slowness !== undefined && slowness.slower > 1 / SLOW_ALPHA && slowness.evidence > TOO_SLOW)
    return { kind: 'failed', why: slownessText(slowness) };
  if (evidence.accuracy > 1 / ACCURACY_ALPHA) return { kind: 'failed', why: accuracyText(step) };
  if (evidence.agreement > 1 / ACCURACY_ALPHA) return { kind: 'failed', why: agreementText(step) };
  if (isBurning(before, percentile) && after.ended >= needsOf(step).outcomes && fractionOf(after) <= fractionOf(before))
    return { kind: 'urgent' };
  return verdictOfTime(step, evidence);
}

function needsOf({ fraction }: CanaryStep): typeof FIRST_STEP {
  return fraction <= (canaryFractions[0] ?? 0) ? FIRST_STEP : LATER_STEP;
}

/** Reason to doubt the new side although it is not clearly bad. */
function doubtOf(step: CanaryStep, { misses, failures, alone, ...scored }: Evidence): string | undefined {
  if (Math.max(misses, failures, alone) > 1 / DOUBT_ALPHA) return missText(step);
  if (scored.accuracy > 1 / DOUBT_ALPHA) return accuracyText(step);
  if (scored.agreement > 1 / DOUBT_ALPHA) return agreementText(step);
  const { slowness } = step;
  return slowness !== undefined && slowness.evidence > 1 / DOUBT_ALPHA ? slownessText(slowness) : undefined;
}

/**
 * True if the variant may be slow or may fail. The fraction of a step limits the harm, so only the last step waits for
 * certainty.
 */
function isUndecided({ slowness, fraction }: CanaryStep, { failing }: Evidence): boolean {
  return nextFraction(fraction) === 1 && Math.max(slowness?.evidence ?? 0, failing) > LEAST_DOUBT;
}

/** Verdict of a step that is neither bad nor urgent. It passes with enough time and outcomes. */
function verdictOfTime(step: CanaryStep, evidence: Evidence): CanaryVerdict {
  const { before, after, elapsedMs, passedOn = 0 } = step;
  const { leastMs, outcomes } = needsOf(step);
  const isIdle = before.ended + after.ended + passedOn === 0;
  if (elapsedMs < (isIdle ? IDLE_STEP_MS : leastMs)) return { kind: 'open', missingOutcomes: 0 };
  if (isIdle) return { kind: 'passed' };
  const isOver = elapsedMs >= LONGEST_STEP_MS;
  if (passedOn >= (isOver ? FEWEST_PASSED_ON : TELLING_PASSED_ON) && after.ended < LEAST_REACHED_FRACTION * passedOn)
    return { kind: 'failed', why: `it ended ${after.ended} of the ${passedOn} requests that were passed on to it` };
  const missingOutcomes = Math.max(0, outcomes - after.ended);
  const doubt = doubtOf(step, evidence);
  // Without outcomes of the new side there is no verdict, however long the step lasts.
  if (after.ended === 0 || (!isOver && (missingOutcomes > 0 || doubt !== undefined || isUndecided(step, evidence))))
    return { kind: 'open', missingOutcomes };
  return doubt === undefined ? { kind: 'passed' } : { kind: 'failed', why: doubt };
}

/** True if a side burns the error budget too fast for steps. */
export function isBurning(side: SideCount, percentile: number): boolean {
  return side.ended >= FEWEST_OUTCOMES && fractionOf(side) > fastestMissFraction(percentile);
}

/** Fraction of misses that burns the error budget too fast. */
export function fastestMissFraction(percentile: number): number {
  return Math.min(0.5, FASTEST_BURN * (1 - percentile / 100));
}

interface Evidence {
  readonly misses: number;
  readonly failures: number;
  /** Likelihood ratio for one larger failure rate; 0 without failures. */
  readonly failing: number;
  /** Evidence that misses exceed the rate of the SLO; 1 if the old side has outcomes. */
  readonly alone: number;
  /** Evidence that the accuracy is lower than expected; 1 without scores. */
  readonly accuracy: number;
  /** Evidence that it agrees with the shadow less than expected; 1 without comparisons. */
  readonly agreement: number;
}

function evidenceOf({ before, after, accuracy, agreement }: CanaryStep, percentile: number): Evidence {
  const { missed, failed = 0, ended } = after;
  const mayMiss = Math.max(1 - percentile / 100, upperFraction(before.missed, before.ended, 1));
  const mayFail = Math.max(FAILURE_FLOOR, upperFraction(before.failed ?? 0, before.ended, 0.5));
  return {
    misses: evidenceAgainst(mayMiss, missed, ended),
    failures: evidenceAgainst(mayFail, failed, ended),
    failing: failed === 0 || mayFail >= LARGEST_RATE ? 0 : likelihoodRatio(failed, ended, mayFail ** 0.5, mayFail),
    alone: before.ended > 0 ? 1 : evidenceAgainst(1 - percentile / 100, missed, ended),
    accuracy: evidenceOfScores(accuracy),
    agreement: evidenceOfScores(agreement),
  };
}

/** Also for scores between 0 and 1: a chord bounds the likelihood ratio, which is convex in the loss. */
function evidenceOfScores(scored: CanaryScores | undefined): number {
  if (scored === undefined) return 1;
  const { scores, loss, leastExpected } = scored;
  return evidenceAgainst(Math.max(FAILURE_FLOOR, 1 - leastExpected), loss / BURST, scores / BURST);
}

/** Upper estimate of a fraction: adds `more` hits and one standard error, because outcomes may be few. */
function upperFraction(hits: number, outcomes: number, more: number): number {
  return Math.min(1, (hits + more + Math.sqrt(hits)) / (outcomes + 1));
}

/** Mean likelihood ratio of larger rates to `rate`; 1 if `rate` explains the hits. */
function evidenceAgainst(rate: number, hits: number, outcomes: number): number {
  if (hits < FEWEST_HITS || hits <= rate * outcomes || rate >= LARGEST_RATE) return 1;
  const larger = [rate ** 0.75, rate ** 0.5, rate ** 0.25, LARGEST_RATE];
  return larger.reduce((sum, each) => sum + likelihoodRatio(hits, outcomes, each, rate), 0) / larger.length;
}

function likelihoodRatio(hits: number, outcomes: number, larger: number, rate: number): number {
  return Math.exp(hits * Math.log(larger / rate) + (outcomes - hits) * Math.log((1 - larger) / (1 - rate)));
}

const NO_SCORES: CanaryScores = { scores: 0, loss: 0, leastExpected: 0 };

const fractionOf = ({ ended, missed }: SideCount): number => (ended === 0 ? 0 : missed / ended);

const missText = ({ before, after, unit = 'requests' }: CanaryStep): string =>
  `${after.missed} of its ${after.ended} ${unit} missed the SLO, ${before.missed} of ${before.ended} requests of the old variant`;

const slownessText = ({ measured, tooSlow, itemsPerSecond }: SlownessEvidence): string =>
  `its batches take ${measured.toFixed(2)} times as long as profiled, and from ${tooSlow.toFixed(2)} times on its plan does not carry ${itemsPerSecond.toFixed(0)} items per second within the SLO`;

const failureText = ({ before, after, unit = 'requests' }: CanaryStep): string =>
  `${after.failed ?? 0} of its ${after.ended} ${unit} failed, ${before.failed ?? 0} of ${before.ended} requests of the old variant`;

const accuracyText = ({ accuracy: { scores, loss, leastExpected } = NO_SCORES }: CanaryStep): string =>
  `the accuracy of its ${scores} answers with feedback is ${(1 - loss / scores).toFixed(3)}, and at least ${leastExpected.toFixed(3)} is expected`;

const agreementText = ({ agreement: { scores, loss, leastExpected } = NO_SCORES }: CanaryStep): string =>
  `it agrees with the shadow on ${(1 - loss / scores).toFixed(3)} of ${scores} compared items, and at least ${leastExpected.toFixed(3)} is expected`;
