/** Number of routers of a pipeline. */
import {
  oneRouter,
  type PipelineSpec,
  type RouterSplit,
  routersWithinBounds,
  usualSplit,
  usualUnevenFraction,
} from '@equipoise/core/model';
import { routersFor } from '@equipoise/core/plan';

/**
 * Split by the spec. With `auto`, the current number stays while it suits the rate; default: the number for the rate. Each
 * router has a replica of each stage, so bounds limit it.
 */
export function splitFor(
  spec: PipelineSpec,
  { arrivalRps, current }: { readonly arrivalRps: number; readonly current?: number | undefined },
): RouterSplit {
  const { routers = 1 } = spec;
  if (routers !== 'auto') return routers === 1 ? oneRouter : usualSplit(routers);
  const unevenFraction = usualUnevenFraction;
  const count = routersFor({ arrivalRps, unevenFraction, ...(current !== undefined && { current }) });
  return usualSplit(routersWithinBounds(spec, count));
}
