/**
 * Loads in buckets, so that a plan and its verdict serve until the load really changes. Each figure is rounded up to the end of its bucket:
 * what holds at the end holds in all of the bucket, and a remembered verdict is never rosier than a new one. A rate's bucket has a few
 * steps inside, for where its end asks for more than the load does; what is best at the end of the bucket below, no load in it can beat.
 */
import type { ArrivalEnvelope, Burstiness } from '../model/expected-load.js';

/** Rates: 5 % wide. */
const RATE_STEP = 1.05;
/** Steps of a rate's bucket, equal in proportion: 1.2 % each. */
const STEPS = 4;
/** Dispersions: half an octave wide. */
const DISPERSION_STEP = Math.SQRT2;
/** Backlogs: a quarter wide. */
const BACKLOG_STEP = 1.25;

const ROUNDING = 1e-9;

/** The end of the bucket that `value` lies in, on a scale of powers of `step`; 0 stays 0. */
function bucketEnd(value: number, step: number): number {
  return value <= 0 ? 0 : step ** bucketOf(value, step);
}

/** Buckets are open at the start and closed at the end. */
function bucketOf(value: number, step: number): number {
  return Math.ceil(Math.log(value) / Math.log(step) - ROUNDING);
}

/** From the end of the bucket below to the end of the bucket that `value` lies in, both included. */
function bucketSteps(value: number, step: number): readonly number[] {
  const start = bucketOf(value, step) - 1;
  return Array.from({ length: STEPS + 1 }, (_, i) => (value <= 0 ? 0 : step ** (start + i / STEPS)));
}

/** The rate (rps) to plan for. */
export const rateBucketEnd = (arrivalRps: number): number => bucketEnd(arrivalRps, RATE_STEP);

/** The rates (rps) up to the end of the bucket of `arrivalRps`, the first of them the end of the bucket below. */
export const rateSteps = (arrivalRps: number): readonly number[] => bucketSteps(arrivalRps, RATE_STEP);

/** The class of a measured burstiness. */
export function burstinessClass(burstiness: Burstiness): Burstiness {
  const { dispersionAtSlo, dispersionAt10s } = burstiness;
  return {
    ...burstiness,
    dispersionAtSlo: bucketEnd(dispersionAtSlo, DISPERSION_STEP),
    dispersionAt10s: bucketEnd(dispersionAt10s, DISPERSION_STEP),
  };
}

/** The envelope with the counts of its windows in rate buckets, in whole requests. */
export function envelopeBucketEnd(envelope: ArrivalEnvelope): ArrivalEnvelope {
  return envelope.map(({ windowS, arrivals }) => ({ windowS, arrivals: Math.ceil(bucketEnd(arrivals, RATE_STEP)) }));
}

/** The same with the count of the longest window, which is the rate, at each step of its bucket; the bursts are those of the bucket. */
export function envelopeSteps(envelope: ArrivalEnvelope): readonly ArrivalEnvelope[] {
  const bursts = envelopeBucketEnd(envelope.slice(0, -1));
  return envelope
    .slice(-1)
    .flatMap(({ windowS, arrivals }) =>
      bucketSteps(arrivals, RATE_STEP).map((step) => [...bursts, { windowS, arrivals: Math.ceil(step) }]),
    );
}

/** The number of waiting requests to start from. */
export const backlogBucketEnd = (requests: number): number => Math.ceil(bucketEnd(requests, BACKLOG_STEP));
