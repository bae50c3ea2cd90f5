/**
 * Shares of edges may depend on the variant of the stage that the edge leaves: a small classifier escalates more often,
 * a small detector finds fewer objects. They may also depend on the variants of earlier stages: false detections of a
 * coarse detector are hard to classify. A resolved spec has one number per edge, for given variants.
 */
import type { StageId, VariantId } from './ids.js';
import { OMITTED, omittedNodes, omittedStages, withoutNodes } from './omission.js';
import type { EdgeSpec, PipelineSpec, UpstreamShares } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';
import { atQuorum, hasQuorumChoices, quorumChoices, withoutQuorum, withQuorums } from './quorum.js';
import { sharesWithinOne } from './shares-within-one.js';
import { atThreshold, hasThresholdChoices, thresholdChoices, variantOfChoice, withThresholds } from './threshold.js';

export type VariantOf = (stage: StageId) => VariantId | undefined;

/** Shares of an edge that depend on the variant: none, its branch, its fan-out, or both. */
export const sharesByVariant = ({ when, fanOut }: EdgeSpec): readonly Readonly<Record<VariantId, number>>[] =>
  [when?.byVariant, fanOut?.byVariant].filter((shares) => shares !== undefined);

export const hasSharesByVariant = ({ edges }: Pick<PipelineSpec, 'edges'>): boolean =>
  edges.some(({ when, fanOut }) => when?.byVariant !== undefined || fanOut?.byVariant !== undefined);

/** `variantOf`: choices of stages. Takes the mean over all variants where `variantOf` knows none. Returns `spec` itself if no share depends on variants. */
export function resolvedSpec(spec: PipelineSpec, variantOf: VariantOf): PipelineSpec {
  if (!hasSharesByVariant(spec)) return spec;
  const { edges } = behindUpstream(spec, variantOf);
  return { ...spec, edges: sharesWithinOne(edges.map((edge) => resolvedEdge(edge, variantOf(edge.from)))) };
}

/** Measured shares of an edge behind variants of earlier stages. */
export const sharesByUpstream = ({ when, fanOut }: EdgeSpec): readonly UpstreamShares[] => [
  ...(when?.byUpstream ?? []),
  ...(fanOut?.byUpstream ?? []),
];

export const hasSharesByUpstream = ({ edges }: Pick<PipelineSpec, 'edges'>): boolean =>
  edges.some(({ when, fanOut }) => (when?.byUpstream?.length ?? 0) + (fanOut?.byUpstream?.length ?? 0) > 0);

/** A variant with those of earlier stages behind which a share was measured, such as `small behind coarse`. */
export function variantBehind(variant: string, upstream: UpstreamShares['upstream'] = {}): string {
  const names = Object.values(upstream);
  return names.length === 0 ? variant : `${variant} behind ${names.join(', ')}`;
}

/** Place of the shares that were measured behind these variants; -1 if there are none. */
export function upstreamIndex(all: readonly UpstreamShares[], variantOf: VariantOf): number {
  return all.findIndex(({ upstream }) =>
    Object.entries(upstream).every(([stage, variant]) => {
      const chosen = variantOf(stage as StageId);
      return chosen !== undefined && variantOfChoice(chosen) === variant;
    }),
  );
}

/** Spec whose shares by variant are those behind the chosen variants of earlier stages; means where none were measured. */
export function behindUpstream(spec: PipelineSpec, variantOf: VariantOf): PipelineSpec {
  if (!hasSharesByUpstream(spec)) return spec;
  const edges = spec.edges.map((edge): EdgeSpec => {
    const { when, fanOut } = edge;
    return {
      ...edge,
      ...(when?.byUpstream && { when: sharesBehind(when, variantOf) }),
      ...(fanOut?.byUpstream && { fanOut: sharesBehind(fanOut, variantOf) }),
    };
  });
  return { ...spec, edges: sharesWithinOne(edges) };
}

function sharesBehind<Shares extends Pick<NonNullable<EdgeSpec['when']>, 'byVariant' | 'byUpstream'>>(
  { byUpstream = [], ...shares }: Shares,
  variantOf: VariantOf,
) {
  const found = byUpstream[upstreamIndex(byUpstream, variantOf)];
  return found === undefined ? shares : { ...shares, byVariant: { ...shares.byVariant, ...found.byVariant } };
}

/** Spec without shares by variants of earlier stages, so the means count. */
export const withoutUpstream = (spec: PipelineSpec): PipelineSpec => behindUpstream(spec, () => undefined);

function resolvedEdge(edge: EdgeSpec, variant: VariantId | undefined): EdgeSpec {
  const { when, fanOut } = edge;
  if (when?.byVariant === undefined && fanOut?.byVariant === undefined) return edge;
  const shareOf = (byVariant: Readonly<Record<VariantId, number>>, otherwise: number): number =>
    (variant === undefined ? undefined : byVariant[withoutQuorum(variant)]) ?? otherwise;
  return {
    ...edge,
    ...(when?.byVariant && {
      when: { ...branchOf(when), probability: shareOf(when.byVariant, when.probability) },
    }),
    ...(fanOut?.byVariant && { fanOut: { expected: shareOf(fanOut.byVariant, fanOut.expected) } }),
  };
}

const branchOf = ({ byVariant: _, ...branch }: NonNullable<EdgeSpec['when']>) => branch;

/** Edges with the stated shares of the choices of a plan; means without a plan. Edges of omitted stages keep their places. */
export function edgesOfPlan(spec: PipelineSpec, stages: Plan['stages'] | undefined): readonly EdgeSpec[] {
  const choiceOf: VariantOf = (id) => {
    const [part] = stages?.[id] ?? [];
    const hasChoice = thresholdChoices(spec, id).length > 0;
    return part && atThreshold(part.variantId, hasChoice ? part.threshold : undefined);
  };
  return resolvedSpec(spec, choiceOf).edges;
}

/**
 * Spec without the stages that a plan omits, with its quorums, its thresholds and the shares of the variants that it
 * runs.
 */
export function specOfPlan(spec: PipelineSpec, stages: Plan['stages']): PipelineSpec {
  const left = withoutOmitted(withQuorums(spec, quorumsOfPlan(spec, stages)), stages);
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

/** Quorums that a plan chooses, by carrier. A plan without a quorum has the first one. An omitted join has no choice. */
export function quorumsOfPlan(spec: PipelineSpec, stages: Plan['stages']): ReadonlyMap<StageId, number> {
  if (!hasQuorumChoices(spec)) return new Map();
  const gone = omittedNodes(spec, omittedStages(stages));
  return new Map(
    quorumChoices(spec).flatMap(({ carrier, join, quorums }) => {
      const [stage] = stages[carrier] ?? [];
      const [first] = quorums;
      if (stage === undefined || first === undefined || gone?.has(carrier) || gone?.has(join)) return [];
      return [[carrier, stage.quorum ?? first] as const];
    }),
  );
}

/** Choices of stages: variants, with their thresholds and quorums. */
export function variantChoice(stages: Plan['stages']): Readonly<Record<StageId, VariantId>> {
  const choice: Record<StageId, VariantId> = {};
  for (const [id, [stagePlan]] of Object.entries(stages))
    if (stagePlan !== undefined)
      choice[id as StageId] =
        stagePlan.replicas === 0
          ? OMITTED
          : atQuorum(atThreshold(stagePlan.variantId, stagePlan.threshold), stagePlan.quorum);
  return choice;
}

/** The stages of a plan, with the first threshold or quorum where a choice is missing. */
export function withKnownChoices(spec: PipelineSpec, stages: Plan['stages']): Plan['stages'] {
  const thresholds = thresholdsOfPlan(spec, stages);
  const quorums = quorumsOfPlan(spec, stages);
  if (thresholds.size === 0 && quorums.size === 0) return stages;
  const entries = Object.entries(stages).map(([id, parts]): [string, readonly StagePlan[]] => {
    const threshold = thresholds.get(id as StageId);
    const quorum = quorums.get(id as StageId);
    const known = { ...(threshold !== undefined && { threshold }), ...(quorum !== undefined && { quorum }) };
    return [id, parts.map((part) => ({ ...part, ...known }))];
  });
  return Object.fromEntries(entries);
}
