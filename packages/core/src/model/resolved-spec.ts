/**
 * Shares of edges may depend on the variant of the stage that the edge leaves: a small classifier escalates more often,
 * a small detector finds fewer objects. A resolved spec has one number per edge, for given variants.
 */
import type { StageId, VariantId } from './ids.js';
import { omittedNodes, omittedStages, withoutNodes } from './omission.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';
import { hasThresholdChoices, thresholdChoices, withThresholds } from './threshold.js';

export type VariantOf = (stage: StageId) => VariantId | undefined;

/** Shares of an edge that depend on the variant: none, its branch, its fan-out, or both. */
export const sharesByVariant = ({ when, fanOut }: EdgeSpec): readonly Readonly<Record<VariantId, number>>[] =>
  [when?.byVariant, fanOut?.byVariant].filter((shares) => shares !== undefined);

export const hasSharesByVariant = ({ edges }: Pick<PipelineSpec, 'edges'>): boolean =>
  edges.some(({ when, fanOut }) => when?.byVariant !== undefined || fanOut?.byVariant !== undefined);

/** `variantOf`: choices of stages. Takes the mean over all variants where `variantOf` knows none. Returns `spec` itself if no share depends on variants. */
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
      when: { ...branchOf(when), probability: shareOf(when.byVariant, when.probability) },
    }),
    ...(fanOut?.byVariant && { fanOut: { expected: shareOf(fanOut.byVariant, fanOut.expected) } }),
  };
}

const branchOf = ({ byVariant: _, ...branch }: NonNullable<EdgeSpec['when']>) => branch;

/** Spec without the stages that a plan omits, with its thresholds and the shares of the variants that it runs. */
export function specOfPlan(spec: PipelineSpec, stages: Plan['stages']): PipelineSpec {
  const left = withoutOmitted(spec, stages);
  const fixed = withThresholds(left, thresholdsOfPlan(spec, stages));
  return resolvedSpec(fixed, (id) => stages[id]?.[0]?.variantId);
}

function withoutOmitted(spec: PipelineSpec, stages: Plan['stages']): PipelineSpec {
  const gone = omittedNodes(spec, omittedStages(stages));
  return gone === undefined ? spec : withoutNodes(spec, gone);
}

/**
 * Thresholds that a plan chooses, by stage. A plan without a threshold has the first one. A stage whose edges with
 * thresholds lead to omitted stages has no choice.
 */
export function thresholdsOfPlan(spec: PipelineSpec, stages: Plan['stages']): ReadonlyMap<StageId, number> {
  const chosen = new Map<StageId, number>();
  if (!hasThresholdChoices(spec)) return chosen;
  const left = withoutOmitted(spec, stages);
  for (const { id } of left.stages) {
    const [stage] = stages[id] ?? [];
    const [first] = thresholdChoices(left, id);
    if (stage !== undefined && first !== undefined) chosen.set(id, stage.threshold ?? first);
  }
  return chosen;
}

/** The stages of a plan, with the first threshold where a choice is missing. */
export function withKnownThresholds(spec: PipelineSpec, stages: Plan['stages']): Plan['stages'] {
  const chosen = thresholdsOfPlan(spec, stages);
  if (chosen.size === 0) return stages;
  const entries = Object.entries(stages).map(([id, parts]): [string, readonly StagePlan[]] => {
    const value = chosen.get(id as StageId);
    return [id, value === undefined ? parts : parts.map((part) => ({ ...part, threshold: value }))];
  });
  return Object.fromEntries(entries);
}
