/**
 * Loads in buckets, so that a plan and its verdict serve until the load really changes. Each figure is rounded up to the end of its bucket:
 * what holds at the end holds in all of the bucket, and a remembered verdict is never rosier than a new one. What is best at the start of
 * a bucket, no load in it can beat.
 */
import type { Burstiness } from '../model/burstiness.js';
import type { ArrivalEnvelope } from '../model/expected-load.js';

/** Rates: 5 % wide. */
const RATE_STEP = 1.05;
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

function bucketStart(value: number, step: number): number {
  return value <= 0 ? 0 : step ** (bucketOf(value, step) - 1);
}

/** The rate (rps) to plan for. */
export const rateBucketEnd = (arrivalRps: number): number => bucketEnd(arrivalRps, RATE_STEP);

/** No rate (rps) of the bucket that `arrivalRps` lies in is as low. */
export const rateBucketStart = (arrivalRps: number): number => bucketStart(arrivalRps, RATE_STEP);

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

/** The envelope with the least whole counts in the buckets of its windows. */
export function envelopeBucketStart(envelope: ArrivalEnvelope): ArrivalEnvelope {
  const least = (arrivals: number): number => (arrivals <= 0 ? 0 : Math.floor(bucketStart(arrivals, RATE_STEP)) + 1);
  return envelope.map(({ windowS, arrivals }) => ({ windowS, arrivals: Math.min(arrivals, least(arrivals)) }));
}

/** The number of waiting requests to start from. */
export const backlogBucketEnd = (requests: number): number => Math.ceil(bucketEnd(requests, BACKLOG_STEP));
