/** Number of routers of a pipeline, and the load of one of them. */
import {
  type LoadObservation,
  largestShare,
  oneRouter,
  type PipelineSpec,
  type RouterSplit,
  usualSplit,
  usualUnevenFraction,
} from '@equipoise/core/model';
import { routersFor } from '@equipoise/core/plan';

/** Split by the spec. With `auto`, the current number stays while it suits the rate; default: the number for the rate. */
export function splitFor(
  { routers = 1 }: PipelineSpec,
  { arrivalRps, current }: { readonly arrivalRps: number; readonly current?: number | undefined },
): RouterSplit {
  if (routers !== 'auto') return routers === 1 ? oneRouter : usualSplit(routers);
  const unevenFraction = usualUnevenFraction;
  return usualSplit(routersFor({ arrivalRps, unevenFraction, ...(current !== undefined && { current }) }));
}

/**
 * Load of the router with the most load. The routers measure burstiness themselves, so it is that of one already. Counts
 * are rounded as a running sum, so that fractions are not lost.
 */
export function loadAtRouter(load: LoadObservation, split: RouterSplit): LoadObservation {
  if (split.count === 1) return load;
  const share = largestShare(split);
  let sum = 0;
  const arrivalsPerSecond = load.arrivalsPerSecond.map((arrivals) => {
    const before = Math.round(sum);
    sum += share * arrivals;
    return Math.round(sum) - before;
  });
  const latest = load.latest?.map(({ windowS, arrivals }) => ({ windowS, arrivals: share * arrivals }));
  return { ...load, arrivalsPerSecond, ...(latest && { latest }) };
}
