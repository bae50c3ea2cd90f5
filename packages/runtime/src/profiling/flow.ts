/** Variants that compute real inputs for measuring later stages. */

import type { ServingGraph } from '@equipoise/core/graph';
import type { StageSpec, VariantSpec } from '@equipoise/core/model';

/** Most accurate variant first; equally accurate ones in file order. */
export function byAccuracy({ variants }: StageSpec): readonly VariantSpec[] {
  return variants.toSorted((a, b) => (b.accuracy?.value ?? 0) - (a.accuracy?.value ?? 0));
}

/** Most accurate variant; the first of equally accurate ones. */
export const flowVariant = (stage: StageSpec): VariantSpec => byAccuracy(stage)[0] as VariantSpec;

/** Cores of a variant that runs without being measured: its fewest whole cores, or else its largest CPU share. */
export function flowCores({ cpuCores }: VariantSpec): number {
  return cpuCores.find((count) => count >= 1) ?? cpuCores.at(-1) ?? 1;
}

/** Indices of all nodes before a node, ascending. */
export function stagesBefore(graph: ServingGraph, stage: number): readonly number[] {
  const before = new Set<number>();
  const visit = (index: number): void => {
    for (const upstream of graph.nodes) {
      if (before.has(upstream.index) || !upstream.outEdges.some((edge) => edge.to === index)) continue;
      before.add(upstream.index);
      visit(upstream.index);
    }
  };
  visit(stage);
  return [...before].sort((a, b) => a - b);
}
