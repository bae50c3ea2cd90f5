/** Variants that compute real inputs for measuring later stages. */
import type { StageSpec, VariantSpec } from '@equipoise/core/model';
import type { ServingGraph } from '@equipoise/core/serve';

/** Most accurate variant; the first of equally accurate ones. */
export function flowVariant(stage: StageSpec): VariantSpec {
  const accuracyOf = (variant: VariantSpec): number => variant.accuracy?.value ?? 0;
  return stage.variants.reduce((best, variant) => (accuracyOf(variant) > accuracyOf(best) ? variant : best));
}

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
