/**
 * The pipeline as the request policies use it: stages and edges by index. It knows which edges close a fan-out, so that
 * a fan-out without items can continue. It knows which work an early join makes discardable. Requires a validated spec
 * (acyclic; all in-edges of a stage have the same open fan-outs).
 */
import { invariant } from '../kernel/invariant.js';
import { AppError } from '../model/app-error.js';
import type { StageId } from '../model/ids.js';
import {
  awaitedParts,
  type CombineSpec,
  closesFanOut,
  type EdgeSpec,
  nodeIds,
  type PipelineSpec,
  type SourceSpec,
} from '../model/pipeline-spec.js';
import { quorumChoices } from '../model/quorum.js';
import { sharesByVariant } from '../model/resolved-spec.js';
import { thresholdChoices } from '../model/threshold.js';
import { type DiscardRule, discardRules, type EarlyJoin } from './discardable-work.js';

/**
 * An edge. For a fan-out edge, `closedBy` lists the edges that end the fan-out: joins, and answers from inside it. An
 * `answer` edge leads to the response and gathers the items of all open fan-outs.
 */
export interface ServingEdge {
  readonly index: number;
  readonly from: number;
  /** Target stage; −1 for the response. */
  readonly to: number;
  readonly kind: 'plain' | 'fan-out' | 'join' | 'answer';
  /** A stage takes its first `when` edge whose condition is true, and all edges without a condition. */
  readonly condition: string | undefined;
  /** Value for `threshold` in the condition until a plan chooses another one. */
  readonly threshold: number | undefined;
  /** Tensors to pass on; undefined for all. */
  readonly inputs: EdgeSpec['inputs'];
  /** True if outputs are counted by the variant that made them. */
  readonly byVariant: boolean;
  /** Items to wait for when a fan-out closes; Infinity for all. */
  readonly awaited: number;
  /** True if `to` continues without lost items. */
  readonly partial: boolean;
  /** Position among the in-edges of `to`, or among the outputs of the response. */
  readonly slot: number;
  readonly closedBy: readonly ServingEdge[];
}

export interface ServingStage {
  readonly index: number;
  readonly id: StageId;
  readonly idempotent: boolean;
  /** True if servers elsewhere run it: there, a lost connection or machine looks like a hang. */
  readonly isRemote: boolean;
  /** Set for a combine stage, whose items never wait. */
  readonly combine: CombineSpec | undefined;
  /** Number of in-edges and of sources that enter. */
  readonly inputs: number;
  /**
   * Awaited inputs; fewer than `inputs` at an `any` or `quorum` join of several in-edges. If a plan chooses the quorum,
   * the smallest one.
   */
  readonly awaited: number;
  readonly outEdges: readonly ServingEdge[];
  /** Thresholds from which a plan chooses; empty without a choice. */
  readonly thresholds: readonly number[];
  /** Node of the join whose quorum a plan chooses at this stage; undefined without a choice. */
  readonly quorumJoin: number | undefined;
  /** Stage whose plan chooses the quorum of this node; undefined without a choice. */
  readonly quorumCarrier: number | undefined;
  /** Edge from an output stage to the response. */
  readonly answer: ServingEdge | undefined;
  /** True if a later join may continue without its items. */
  readonly missable: boolean;
  readonly discardedBy: readonly DiscardRule[];
  /** Stages whose items may become discardable when this stage's early join continues. */
  readonly discards: readonly number[];
}

/** A stage that the part of a source enters. Entries of one source are neighbours. */
export interface ServingEntry {
  readonly source: number;
  readonly to: number;
  /** Position among the inputs of `to`. */
  readonly slot: number;
}

/** `nodes` are the stages, then the combine stages. */
export interface ServingGraph {
  readonly spec: Pick<PipelineSpec, 'sources' | 'stages' | 'combines' | 'edges' | 'outputs'>;
  readonly nodes: readonly ServingStage[];
  readonly stages: readonly ServingStage[];
  readonly sources: readonly Pick<SourceSpec, 'name' | 'tensors'>[];
  readonly entries: readonly ServingEntry[];
  readonly edges: readonly ServingEdge[];
  /** Answers by output slot. */
  readonly answers: readonly ServingEdge[];
  readonly topologicalOrder: readonly number[];
}

type DraftEdge = ServingEdge & { readonly closedBy: ServingEdge[] };

interface Draft {
  readonly ids: readonly StageId[];
  readonly edges: readonly DraftEdge[];
  readonly answers: readonly ServingEdge[];
  readonly order: readonly number[];
}

/** Open fan-outs, outermost first. */
type OpenFanOuts = readonly DraftEdge[];

const RESPONSE = -1;

/** Builds the graph of a validated spec. Throws AppError INVALID_PIPELINE for joins that cannot be served. */
export function servingGraph(spec: PipelineSpec): ServingGraph {
  const { edges, inputs, entries, indexOf } = draftEdges(spec);
  const answers = spec.outputs.map(({ from }, slot): ServingEdge => {
    const stage = indexOf.get(from);
    invariant(stage !== undefined, `output ${from} names an unknown stage`);
    const common = {
      condition: undefined,
      threshold: undefined,
      inputs: undefined,
      byVariant: false,
      awaited: Number.POSITIVE_INFINITY,
      partial: false,
      closedBy: [],
    };
    return { index: edges.length + slot, from: stage, to: RESPONSE, kind: 'answer', slot, ...common };
  });
  const ids = nodeIds(spec);
  const order = topologicalOrder(ids.length, edges);
  const open = closeFanOuts({ ids, edges, answers, order });
  const awaited = ids.map((id, stage) => awaitedInputs(spec, id, inputs[stage] ?? 0));
  const joins = earlyJoins({ edges, inputs, awaited, open });
  const rules = discardRules(
    {
      order,
      successors: ids.map((_, stage) => edges.filter(({ from }) => from === stage).map(({ to }) => to)),
      answers: ids.map((_, stage) => answers.some(({ from }) => from === stage)),
      open: open.map(indices),
    },
    joins,
  );
  const missable = missableStages(order, edges);
  const choices = quorumChoices(spec);
  const quorumJoins = new Map(choices.map(({ carrier, join }) => [carrier, indexOf.get(join)]));
  const quorumCarriers = new Map(choices.map(({ carrier, join }) => [join, indexOf.get(carrier)]));
  const nodes = ids.map((id, index) => ({
    index,
    id,
    idempotent: spec.stages[index]?.idempotent ?? true,
    isRemote: (spec.stages[index]?.variants ?? []).some(({ server }) => server !== undefined && !server.command),
    combine: spec.combines?.[index - spec.stages.length],
    inputs: inputs[index] ?? 0,
    awaited: awaited[index] ?? 0,
    outEdges: edges.filter((edge) => edge.from === index),
    thresholds: thresholdChoices(spec, id),
    quorumJoin: quorumJoins.get(id),
    quorumCarrier: quorumCarriers.get(id),
    answer: answers.find((answer) => answer.from === index),
    missable: missable[index] ?? false,
    discardedBy: rules[index] ?? [],
    discards: rules.flatMap((of, stage) =>
      stage < spec.stages.length && of.some(({ join }) => join.stage === index) ? [stage] : [],
    ),
  }));
  const stages = nodes.slice(0, spec.stages.length);
  return { spec, nodes, stages, sources: spec.sources, entries, edges, answers, topologicalOrder: order };
}

function draftEdges(spec: PipelineSpec) {
  const ids = nodeIds(spec);
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const inputs: number[] = ids.map(() => 0);
  const entries = spec.sources.flatMap(({ to: entered }, source) =>
    ids.flatMap((id, to): readonly ServingEntry[] => {
      if (!entered.includes(id)) return [];
      const slot = inputs[to] ?? 0;
      inputs[to] = slot + 1;
      return [{ source, to, slot }];
    }),
  );
  const edges = spec.edges.map((edge, index): DraftEdge => {
    const from = indexOf.get(edge.from);
    const to = indexOf.get(edge.to);
    invariant(from !== undefined && to !== undefined, `edge ${edge.from} -> ${edge.to} names an unknown stage`);
    const slot = inputs[to] ?? 0;
    inputs[to] = slot + 1;
    const closes = closesFanOut(edge, spec.edges.filter((other) => other.to === edge.to).length);
    const kind = edge.fanOut ? 'fan-out' : closes ? 'join' : 'plain';
    const awaited = awaitedParts(edge.join);
    const partial = edge.onMissing === 'partial';
    const passed = {
      condition: edge.when?.condition,
      threshold: edge.when?.thresholds?.[0],
      inputs: edge.inputs,
      byVariant: sharesByVariant(edge).length > 0,
    };
    return { index, from, to, kind, ...passed, awaited, partial, slot, closedBy: [] };
  });
  return { edges, inputs, entries, indexOf };
}

/** By stage: true if a later join may continue without its items. */
function missableStages(order: readonly number[], edges: readonly ServingEdge[]): readonly boolean[] {
  const missable = order.map(() => false);
  for (const stage of order.toReversed())
    missable[stage] = edges.some(({ from, to, partial }) => from === stage && (partial || missable[to]));
  return missable;
}

function awaitedInputs(spec: PipelineSpec, id: StageId, inputs: number): number {
  const inEdges = spec.edges.filter(({ to }) => to === id);
  const early = inEdges.filter(({ join }) => join !== undefined && join !== 'all');
  const [first] = early;
  if (first === undefined || inEdges.length === 1) return inputs;
  const counts = new Set(inEdges.map(({ join }) => awaitedParts(join)));
  const [awaited = inputs] = counts;
  if (early.length < inEdges.length || counts.size > 1)
    throw badJoin(id, 'of several edges into a stage all or none have `join: any`, or all the same quorum');
  if (inputs > inEdges.length)
    throw badJoin(id, 'a stage that a source enters cannot wait for `any` or a quorum of its edges; enter elsewhere');
  if (awaited > inputs || awaited < 1)
    throw badJoin(id, `its quorum is ${awaited}, but ${inputs} edges lead to it; ask for 1 to ${inputs}`);
  return awaited;
}

function badJoin(stage: StageId | undefined, problem: string): AppError {
  return new AppError('INVALID_PIPELINE', `The join at stage ${stage} cannot be served: ${problem}.`);
}

function topologicalOrder(stageCount: number, edges: readonly ServingEdge[]): number[] {
  const missing = new Array<number>(stageCount).fill(0);
  for (const edge of edges) missing[edge.to] = (missing[edge.to] ?? 0) + 1;
  const order = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  for (const from of order) {
    for (const edge of edges) {
      if (edge.from !== from) continue;
      const left = (missing[edge.to] ?? 0) - 1;
      missing[edge.to] = left;
      if (left === 0) order.push(edge.to);
    }
  }
  invariant(order.length === stageCount, 'the stages form a cycle');
  return order;
}

/**
 * Computes the open fan-outs of each stage. A join closes the innermost fan-out, an answer closes all; `closedBy`
 * records that.
 */
function closeFanOuts({ ids, edges, answers, order }: Draft): readonly OpenFanOuts[] {
  const openAt: OpenFanOuts[] = order.map(() => []);
  for (const stage of order) {
    const open = openAt[stage] ?? [];
    for (const answer of answers.filter(({ from }) => from === stage)) {
      for (const fanOut of open) fanOut.closedBy.push(answer);
    }
    for (const edge of edges.filter(({ from }) => from === stage))
      openAt[edge.to] = openBehind(edge, open, ids[edge.to]);
  }
  return openAt;
}

/** Fan-outs open after an edge. Records a join at the fan-out that it closes. */
function openBehind(edge: DraftEdge, open: OpenFanOuts, id: StageId | undefined): OpenFanOuts {
  if (edge.kind === 'fan-out') return [...open, edge];
  if (edge.kind === 'plain') return open;
  const fanOut = open.at(-1);
  if (fanOut === undefined) throw badJoin(id, 'there is no fan-out before it that it could close');
  fanOut.closedBy.push(edge);
  return open.slice(0, -1);
}

const indices = (open: OpenFanOuts): readonly number[] => open.map(({ index }) => index);

interface Joins {
  readonly edges: readonly DraftEdge[];
  readonly inputs: readonly number[];
  readonly awaited: readonly number[];
  readonly open: readonly OpenFanOuts[];
}

function earlyJoins({ edges, inputs, awaited, open }: Joins): readonly EarlyJoin[] {
  const closing = edges
    .filter((edge) => edge.kind === 'join' && edge.awaited < Number.POSITIVE_INFINITY)
    .map(({ index, from, to }) => ({ stage: to, closing: index, open: indices(open[from] ?? []) }));
  const choosing = inputs.flatMap((count, stage) =>
    (awaited[stage] ?? 0) < count ? [{ stage, closing: undefined, open: indices(open[stage] ?? []) }] : [],
  );
  return [...closing, ...choosing];
}
