/** Number of routers of a pipeline. */
import { oneRouter, type PipelineSpec, type RouterSplit, usualSplit, usualUnevenFraction } from '@equipoise/core/model';
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
