/**
 * What a `join` refers to. `all` closes the innermost fan-out. `any` and `quorum` on the only edge into a stage close it too, with the
 * first items that come; on the edges into a stage that has several they choose among these edges, item by item.
 */
import type { EdgeSpec, Join } from './pipeline-spec.js';

/** Whether an edge closes the innermost fan-out; `inEdges` counts the edges into its stage, itself included. */
export function closesFanOut({ join }: Pick<EdgeSpec, 'join'>, inEdges: number): boolean {
  return join === 'all' || (join !== undefined && inEdges === 1);
}

/** How many parts let an item go on; Infinity for all that come. */
export function awaitedParts(join: Join | undefined): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? join.quorum : Number.POSITIVE_INFINITY;
}
