/**
 * Which variants carry the samples through the pipeline so that later stages are measured on real inputs: of each stage before, the
 * most accurate one, the first of equals.
 */
import type { StageSpec, VariantSpec } from '@equipoise/core/model';
import type { ServingGraph } from '@equipoise/core/serve';

/** The variant whose outputs feed the stages behind. */
export function flowVariant(stage: StageSpec): VariantSpec {
  const accuracyOf = (variant: VariantSpec): number => variant.accuracy?.value ?? 0;
  return stage.variants.reduce((best, variant) => (accuracyOf(variant) > accuracyOf(best) ? variant : best));
}

/** Cores that a variant runs samples on outside a measurement: the fewest whole ones it may have, else its largest share. */
export function flowCores({ cpuCores }: VariantSpec): number {
  return cpuCores.find((count) => count >= 1) ?? cpuCores.at(-1) ?? 1;
}

/** Indices of all stages that a stage's inputs pass through, ascending. */
export function stagesBefore(graph: ServingGraph, stage: number): readonly number[] {
  const before = new Set<number>();
  const visit = (index: number): void => {
    for (const upstream of graph.stages) {
      if (before.has(upstream.index) || !upstream.outEdges.some((edge) => edge.to === index)) continue;
      before.add(upstream.index);
      visit(upstream.index);
    }
  };
  visit(stage);
  return [...before].sort((a, b) => a - b);
}
