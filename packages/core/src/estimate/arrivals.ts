/** Arrivals of the micro-simulation: Poisson, gamma gaps (coefficient of variation `cv`), or a two-state MMPP. */

import { drawExponential, drawGamma, type Rng } from '../kernel/rng.js';

/** An MMPP multiplies the rate by a factor per state (mean holding times in ms). */
export type ArrivalProcess =
  | { readonly kind: 'poisson' }
  | { readonly kind: 'gamma'; readonly cv: number }
  | {
      readonly kind: 'mmpp';
      readonly highFactor: number;
      readonly lowFactor: number;
      readonly meanHighMs: number;
      readonly meanLowMs: number;
    };

function fillMmpp(times: Float64Array, meanGapMs: number, process: ArrivalProcess & { kind: 'mmpp' }, rng: Rng): void {
  const highShare = process.meanHighMs / (process.meanHighMs + process.meanLowMs);
  let high = rng.next() < highShare;
  let now = 0;
  let until = drawExponential(rng) * (high ? process.meanHighMs : process.meanLowMs);
  for (let i = 0; i < times.length; ) {
    const factor = high ? process.highFactor : process.lowFactor;
    const next = now + (drawExponential(rng) * meanGapMs) / factor;
    if (next < until) {
      times[i++] = next;
      now = next;
      continue;
    }
    now = until;
    high = !high;
    until = now + drawExponential(rng) * (high ? process.meanHighMs : process.meanLowMs);
  }
}

function fillTimes(times: Float64Array, meanGapMs: number, process: ArrivalProcess, rng: Rng): void {
  if (process.kind === 'mmpp') {
    fillMmpp(times, meanGapMs, process, rng);
    return;
  }
  const shape = process.kind === 'gamma' ? 1 / (process.cv * process.cv) : 1;
  let now = 0;
  for (let i = 0; i < times.length; i++) {
    now += meanGapMs * (process.kind === 'poisson' ? drawExponential(rng) : drawGamma(shape, rng));
    times[i] = now;
  }
}

/**
 * Items per second, in groups of `groupSize`. A request is `itemsPerRequest` items of a group. (Sizes are means, at
 * least 1.)
 */
export interface ArrivalLoad {
  readonly process: ArrivalProcess;
  readonly arrivalRps: number;
  readonly groupSize: number;
  readonly itemsPerRequest: number;
}

/** Requests by arrival (ms), with item counts. */
export interface ArrivingRequests {
  readonly arrivedAtMs: Float64Array;
  readonly itemsOf: Uint16Array;
}

function wholeNumber(mean: number, rng: Rng): number {
  const floor = Math.floor(mean);
  return mean === floor ? floor : floor + (rng.next() < mean - floor ? 1 : 0);
}

/** Draws `requests` requests. Equal seeds give equal arrivals; except for MMPPs, the rate only scales their times. */
export function drawArrivals(load: ArrivalLoad, requests: number, rng: Rng): ArrivingRequests {
  const requestsPerGroup = load.groupSize / load.itemsPerRequest;
  const groupAtMs = new Float64Array(Math.ceil(requests / Math.floor(requestsPerGroup)));
  fillTimes(groupAtMs, (1000 * load.groupSize) / load.arrivalRps, load.process, rng.fork('arrivals'));
  const itemsOf = new Uint16Array(requests);
  const sizes = rng.fork('sizes');
  for (let i = 0; i < requests; i++) itemsOf[i] = wholeNumber(load.itemsPerRequest, sizes);
  if (requestsPerGroup === 1) return { arrivedAtMs: groupAtMs, itemsOf };
  const arrivedAtMs = new Float64Array(requests);
  for (let request = 0, group = 0; request < requests; group++) {
    const end = Math.min(requests, request + wholeNumber(requestsPerGroup, sizes));
    while (request < end) arrivedAtMs[request++] = groupAtMs[group] as number;
  }
  return { arrivedAtMs, itemsOf };
}
