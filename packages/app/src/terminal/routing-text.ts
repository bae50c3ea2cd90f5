import { largestShare, type RouterSplit } from '@equipoise/core/model';
import { routerCapacityRps, routersFor } from '@equipoise/core/plan';
import pc from 'picocolors';
import { percentText } from './plan-table.js';

/** Tells how the routers of a plan share the load, and whether more of them pay; undefined if there is nothing to tell. */
export function routingText(split: RouterSplit, arrivalRps: number): string | undefined {
  const { count, unevenFraction } = split;
  const needed = routersFor({ arrivalRps, unevenFraction });
  const more =
    needed > count
      ? pc.yellow(
          `One router carries about ${routerCapacityRps} rps of small JSON requests on one core, so this load needs ${needed}: --routers ${needed}.`,
        )
      : undefined;
  if (count === 1) return more;
  const uneven = unevenFraction === 0 ? 'an equal part' : `at most ${percentText(largestShare(split))}`;
  const text = pc.dim(
    `planned for ${count} routers: each has 1/${count} of the replicas and gets ${uneven} of the load`,
  );
  return more === undefined ? text : `${text}\n${more}`;
}
