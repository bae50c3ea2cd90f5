/**
 * Optional stages that a plan omits. An omitted stage has no replicas; requests skip it. With it go the stages that only
 * lead to it, and those behind it up to a join that can do without.
 */
import { type StageId, type VariantId, variantId } from './ids.js';
import { keepsParts } from './kept-parts.js';
import type { CombineSpec, EdgeSpec, PipelineSpec, StageSpec, UpstreamShares, VariantSpec } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';

/** Stands for the variant of an omitted stage in measured combinations. */
export const OMITTED: VariantId = variantId('omitted');

type Graph = Pick<PipelineSpec, 'sources' | 'stages' | 'combines' | 'edges' | 'outputs'>;

/** Entry of an omitted stage in a plan: no replicas of its first variant. */
export function omittedPlan({ variants, bounds }: StageSpec): StagePlan {
  const [variant] = variants as readonly [VariantSpec, ...VariantSpec[]];
  const { id: variantId, cpuCores, memoryBytes, gpus } = variant;
  return {
    variantId,
    resources: { cpuCores: cpuCores[0] ?? 1, memoryBytes, gpus },
    maxBatchSize: bounds.batchSizes?.[0] ?? 1,
    maxBatchWaitMs: bounds.maxBatchWaitMs,
    replicas: 0,
    trafficFraction: 1,
  };
}

/** Stages without replicas. */
export const omittedStages = (stages: Plan['stages']): readonly StageId[] =>
  Object.entries(stages).flatMap(([id, [part]]) => (part?.replicas === 0 ? [id as StageId] : []));

/**
 * Nodes that go if `stages` are omitted; undefined if an output or another stage needs one of them. Early joins,
 * `onMissing: partial` and all combine stages but concatenations can do without, as long as a part is left for each
 * request that had one. A part behind a condition does not replace one without.
 */
export function omittedNodes(graph: Graph, stages: Iterable<StageId>): ReadonlySet<StageId> | undefined {
  const gone = new Set(stages);
  const { edges, outputs, combines = [] } = graph;
  const nodes = [...graph.stages, ...combines].map(({ id }) => id);
  for (let before = -1; before < gone.size; ) {
    before = gone.size;
    for (const id of nodes) {
      const into = edges.filter(({ to }) => to === id);
      const behind = edges.filter(({ from }) => from === id);
      const isUseless = behind.length > 0 && behind.every(({ to }) => gone.has(to)) && !isOutput(outputs, id);
      const isCutOff = into.length > 0 && into.every(({ from }) => gone.has(from));
      if (isUseless || isCutOff) gone.add(id);
    }
  }
  const needs = edges.some((edge) => gone.has(edge.from) && !gone.has(edge.to) && !canMiss(graph, edge));
  const isEnd = [...gone].some((id) => isOutput(outputs, id) || !edges.some(({ from }) => from === id));
  return needs || isEnd || !keepsParts(graph, gone) ? undefined : gone;
}

/** True if the stages without replicas are optional ones with all that goes with them. */
export function isOmissible(spec: Graph, stages: Plan['stages']): boolean {
  const omitted = omittedStages(stages);
  if (omitted.length === 0) return true;
  const isOptional = (id: StageId) => spec.stages.some((stage) => stage.id === id && stage.optional === true);
  const gone = omittedNodes(spec, omitted.filter(isOptional));
  return gone !== undefined && spec.stages.every(({ id }) => gone.has(id) === omitted.includes(id));
}

/** The stages of a plan, with entries for optional stages that it does not have. */
export function withOmitted(spec: PipelineSpec, given: Plan['stages']): Plan['stages'] {
  const missing = spec.stages.filter(({ id }) => given[id] === undefined);
  if (missing.length === 0) return given;
  const gone = omittedNodes(
    spec,
    missing.flatMap(({ id, optional }) => (optional ? [id] : [])),
  );
  const omitted = missing.flatMap((stage) => (gone?.has(stage.id) ? [[stage.id, [omittedPlan(stage)]]] : []));
  return { ...given, ...Object.fromEntries(omitted) };
}

const isOutput = (outputs: PipelineSpec['outputs'], id: StageId): boolean =>
  outputs.some(({ from, unless }) => from === id || unless === id);

function canMiss({ combines = [] }: Graph, { to, join, onMissing }: EdgeSpec): boolean {
  const combine = combines.find(({ id }) => id === to);
  if (combine !== undefined) return combine.method !== 'concatenation';
  return onMissing === 'partial' || (join !== undefined && join !== 'all');
}

/** The pipeline without the nodes `gone`. Measured combinations are those of a pipeline without them. */
export function withoutNodes(spec: PipelineSpec, gone: ReadonlySet<StageId>): PipelineSpec {
  if (gone.size === 0) return spec;
  const left = spec.edges.filter(({ from, to }) => !gone.has(from) && !gone.has(to));
  const { combines, accuracyTable } = spec;
  const omitted = spec.stages.filter(({ id }) => gone.has(id));
  return {
    ...spec,
    sources: spec.sources.map((source) => ({ ...source, to: source.to.filter((id) => !gone.has(id)) })),
    stages: spec.stages.filter(({ id }) => !gone.has(id)),
    ...(combines && {
      combines: combines.filter(({ id }) => !gone.has(id)).map((each) => withFewerWeights(each, gone)),
    }),
    edges: left.map((edge) =>
      withFewerParts(
        withoutUpstreamOf(edge, gone),
        spec.edges.filter(isInto(edge)).length,
        left.filter(isInto(edge)).length,
      ),
    ),
    ...(accuracyTable && {
      accuracyTable: {
        ...accuracyTable,
        combinations: accuracyTable.combinations.flatMap((each) => {
          const isWithoutThese = omitted.every(({ id, optional = false }) => {
            const of = each.variants[id];
            return of === OMITTED || (of === undefined && !optional);
          });
          if (!isWithoutThese) return [];
          const kept = Object.entries<VariantId>(each.variants).filter(([id]) => !gone.has(id as StageId));
          return kept.every(([, of]) => of !== OMITTED) ? [{ ...each, variants: Object.fromEntries(kept) }] : [];
        }),
      },
    }),
  };
}

function withFewerWeights({ weights, ...combine }: CombineSpec, gone: ReadonlySet<StageId>): CombineSpec {
  if (weights === undefined) return combine;
  const left = Object.entries(weights).filter(([id]) => !gone.has(id as StageId));
  return { ...combine, weights: Object.fromEntries(left) };
}

/** Shares measured behind omitted stages do not apply. */
function withoutUpstreamOf(edge: EdgeSpec, gone: ReadonlySet<StageId>): EdgeSpec {
  const { when, fanOut } = edge;
  if (when?.byUpstream === undefined && fanOut?.byUpstream === undefined) return edge;
  const kept = (all: readonly UpstreamShares[]) => ({
    byUpstream: all.filter(({ upstream }) => !Object.keys(upstream).some((id) => gone.has(id as StageId))),
  });
  return {
    ...edge,
    ...(when?.byUpstream && { when: { ...when, ...kept(when.byUpstream) } }),
    ...(fanOut?.byUpstream && { fanOut: { ...fanOut, ...kept(fanOut.byUpstream) } }),
  };
}

const isInto =
  ({ to }: EdgeSpec) =>
  (edge: EdgeSpec): boolean =>
    edge.to === to;

/** An early join of several edges waits for at most the edges that are left. */
function withFewerParts(edge: EdgeSpec, before: number, left: number): EdgeSpec {
  const { join, ...rest } = edge;
  if (before === left || before === 1 || join === undefined || join === 'all') return edge;
  if (left === 1) return rest;
  return typeof join === 'object' ? { ...rest, join: { quorum: Math.min(join.quorum, left) } } : edge;
}
