/**
 * Shares of edges may depend on the variant of the stage that the edge leaves: a small classifier escalates more often,
 * a small detector finds fewer objects. A resolved spec has one number per edge, for given variants.
 */
import type { StageId, VariantId } from './ids.js';
import { omittedNodes, omittedStages, withoutNodes } from './omission.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';
import type { Plan } from './plan.js';

export type VariantOf = (stage: StageId) => VariantId | undefined;

/** Shares of an edge that depend on the variant: none, its branch, its fan-out, or both. */
export const sharesByVariant = ({ when, fanOut }: EdgeSpec): readonly Readonly<Record<VariantId, number>>[] =>
  [when?.byVariant, fanOut?.byVariant].filter((shares) => shares !== undefined);

export const hasSharesByVariant = ({ edges }: Pick<PipelineSpec, 'edges'>): boolean =>
  edges.some(({ when, fanOut }) => when?.byVariant !== undefined || fanOut?.byVariant !== undefined);

/** Takes the mean over all variants where `variantOf` knows none. Returns `spec` itself if no share depends on variants. */
export function resolvedSpec(spec: PipelineSpec, variantOf: VariantOf): PipelineSpec {
  if (!hasSharesByVariant(spec)) return spec;
  return { ...spec, edges: spec.edges.map((edge) => resolvedEdge(edge, variantOf(edge.from))) };
}

function resolvedEdge(edge: EdgeSpec, variant: VariantId | undefined): EdgeSpec {
  const { when, fanOut } = edge;
  const shareOf = (byVariant: Readonly<Record<VariantId, number>>, otherwise: number): number =>
    (variant === undefined ? undefined : byVariant[variant]) ?? otherwise;
  return {
    ...edge,
    ...(when?.byVariant && {
      when: { condition: when.condition, probability: shareOf(when.byVariant, when.probability) },
    }),
    ...(fanOut?.byVariant && { fanOut: { expected: shareOf(fanOut.byVariant, fanOut.expected) } }),
  };
}

/** Spec without the stages that a plan omits, with the shares of the variants that it runs. */
export function specOfPlan(spec: PipelineSpec, stages: Plan['stages']): PipelineSpec {
  const gone = omittedNodes(spec, omittedStages(stages));
  return resolvedSpec(gone === undefined ? spec : withoutNodes(spec, gone), (id) => stages[id]?.[0]?.variantId);
}
