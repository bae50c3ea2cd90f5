/**
 * Loads in buckets, so that a plan and its verdict serve until the load really changes. Each figure is rounded up to the end of its bucket:
 * what holds at the end holds in all of the bucket, and a remembered verdict is never rosier than a new one.
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
  return value <= 0 ? 0 : step ** Math.ceil(Math.log(value) / Math.log(step) - ROUNDING);
}

/** The rate (rps) to plan for. */
export const rateBucketEnd = (arrivalRps: number): number => bucketEnd(arrivalRps, RATE_STEP);

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

/** The number of waiting requests to start from. */
export const backlogBucketEnd = (requests: number): number => Math.ceil(bucketEnd(requests, BACKLOG_STEP));
