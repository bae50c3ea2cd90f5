/**
 * Fan-outs, branch shares and shares of optional sources, learned from traffic (estimates: edge-memory.ts).
 *
 * A value stays in force until the estimate differs from it by more than a tenth and by more than four standard errors.
 * It moves in steps, so that noise causes no new plans. The branches of a stage are updated together.
 *
 * Values that the file states by variant are learned by variant, and those that were measured behind variants of earlier
 * stages behind these. A variant without traffic keeps its value.
 */
import type { Decision, EdgeCount, LearnedEdge, Observation } from '../../model/decision.js';
import { type StageId, stageId, type VariantId } from '../../model/ids.js';
import type { EdgeSpec, PipelineSpec, UpstreamShares } from '../../model/pipeline-spec.js';
import { sharesByUpstream, sharesByVariant, upstreamIndex, type VariantOf } from '../../model/resolved-spec.js';
import { servingVariants } from '../../model/running-plan.js';
import { sharesWithinOne } from '../../model/shares-within-one.js';
import type { ControllerRules } from '../rules.js';
import {
  type EdgeEstimate,
  type EdgeMemory,
  emptyMemory,
  itemsEstimate,
  shareEstimate,
  withCounts,
  withoutOpen,
} from './edge-memory.js';

export interface EdgeState {
  /**
   * One memory per edge, in the order of the pipeline; after it one per variant, if shares are stated by variant; then
   * those behind variants of earlier stages.
   */
  readonly memories: readonly EdgeMemory[];
  readonly inForce: readonly LearnedEdge[];
  /** Variants of earlier stages at the last tick, by edge; absent before the first one. */
  readonly upstream?: readonly LearnedPart['upstream'][];
}

/** Tolerated distance of a value in force from the estimate: relative, and absolute. */
const TOLERANCE_FRACTION = 0.1;
const TOLERANCE = { 'fan-out': 0.02, branch: 0.01 } as const;
/** Tolerated distance in standard errors. */
const TOLERANCE_ERRORS = 4;
/** A learned fan-out is the stated one × a power of this factor. */
const STEP = 1.05;
/** Significant digits of learned probabilities. */
const DIGITS = 2;
/** Fraction of the tolerance: an estimate this near to the stated value restores it. */
const AGREES = 0.5;

/** Adds the counts since the last tick. Values in force change only when a plan is due. */
export function observeEdges(
  { spec, partsFor }: ControllerRules,
  before: EdgeState | undefined,
  {
    observation: { edges: counts = [], atMs, runningPlan },
    due,
  }: { readonly observation: Observation; readonly due: boolean },
): EdgeState | undefined {
  if (partsFor === undefined) return before;
  const variantOf = servingVariants(runningPlan);
  return observeEdgeCounts(spec, before ?? { memories: [], inForce: [] }, { counts, atMs, due, variantOf });
}

export function withLearnedEdges(decision: Decision, edges: EdgeState | undefined): Decision {
  if (edges === undefined || edges.inForce.length === 0) return decision;
  return { ...decision, evidence: { ...decision.evidence, learnedEdges: edges.inForce } };
}

/** Edges, and optional sources as branches of the requests, with the places of their counts. */
function learnedWays({ edges, sources }: Learnable): readonly EdgeSpec[] {
  if (sources.length === 1) return edges;
  const ofSources = sources.map(({ name, to, onMissing, share = 1 }): EdgeSpec => {
    const when = { condition: '', probability: share };
    return { from: stageId(name), to: to[0] ?? stageId(name), ...(onMissing === 'partial' && { when }) };
  });
  return [...edges, ...ofSources];
}

type Learnable = Pick<PipelineSpec, 'edges' | 'sources'>;

interface EdgeNews {
  readonly counts: readonly EdgeCount[];
  readonly atMs: number;
  readonly due: boolean;
  /** Variants that made the counts. */
  readonly variantOf?: VariantOf;
}

export function observeEdgeCounts(
  spec: Learnable,
  before: EdgeState,
  { counts, atMs, due, variantOf = () => undefined }: EdgeNews,
): EdgeState {
  const ways = learnedWays(spec);
  const upstreamNow = ways.map((way) => upstreamInForce(way, variantOf));
  // If earlier variants changed since the last tick, some of the counts were made behind the old ones.
  const isSteady = (edge: number): boolean =>
    before.upstream === undefined || isSame(before.upstream[edge], upstreamNow[edge]);
  const memories = learnedParts(ways).map(({ edge, variantId, upstream, spec: { fanOut, when } }, part) => {
    const memory = before.memories[part] ?? emptyMemory;
    const count = counts[edge];
    const isHere = isSame(upstream, upstreamNow[edge]) && isSteady(edge);
    const fresh = variantId === undefined ? count : isHere ? count?.byVariant?.[variantId] : undefined;
    return fresh === undefined || (fanOut === undefined && when === undefined)
      ? memory
      : withCounts(memory, fresh, atMs);
  });
  const inForce = due ? learnedEdges(ways, { memories, inForce: before.inForce }) : before.inForce;
  return { memories, inForce, upstream: upstreamNow };
}

/** Variants of earlier stages behind which the shares of an edge were measured; undefined if the means count. */
function upstreamInForce(edge: EdgeSpec, variantOf: VariantOf): LearnedPart['upstream'] {
  const all = sharesByUpstream(edge);
  return all[upstreamIndex(all, variantOf)]?.upstream;
}

/** Drops the open block, because clocks differ between processes. */
export function snapshotEdges({ memories, inForce }: EdgeState): EdgeState {
  return { memories: memories.map(withoutOpen), inForce };
}

function learnedEdges(ways: readonly EdgeSpec[], { memories, inForce }: EdgeState): readonly LearnedEdge[] {
  const standings = learnedParts(ways).flatMap((learned, part) => {
    const memory = memories[part] ?? emptyMemory;
    return [fanOutStanding(learned, memory), branchStanding(learned, memory)].flatMap((found) =>
      found === undefined ? [] : [{ ...found, present: presentOf(inForce, found.of) }],
    );
  });
  return standings.flatMap(({ of, estimate, present }) => {
    const together = of.kind === 'fan-out' ? [{ of, estimate, present }] : standings.filter(isBranchOf(of));
    const moves = together.some((each) => hasLeft(each.estimate, each.present?.value ?? each.of.stated, each.of.kind));
    if (!moves || estimate === undefined) return present === undefined ? [] : [present];
    if (together.every((each) => agrees(each.estimate, each.of))) return [];
    const { standardError, outputs } = estimate;
    return [{ ...of, value: stepped(estimate.value, of), standardError, outputs }];
  });
}

export function learnedSpec(spec: PipelineSpec, inForce: readonly LearnedEdge[]): PipelineSpec {
  if (inForce.length === 0) return spec;
  const edges = spec.edges.map((each, edge): EdgeSpec => {
    const items = presentOf(inForce, { edge, kind: 'fan-out' })?.value;
    const share = presentOf(inForce, { edge, kind: 'branch' })?.value;
    return {
      ...each,
      ...(each.fanOut && items !== undefined && { fanOut: stretched(each.fanOut, items) }),
      ...(each.when && share !== undefined && { when: { ...each.when, probability: share } }),
      ...(each.fanOut?.byVariant && {
        fanOut: {
          ...itemsByVariant(each.fanOut.byVariant, inForce, edge),
          ...(each.fanOut.byUpstream && upstreamLearned(each.fanOut.byUpstream, inForce, { edge, kind: 'fan-out' })),
        },
      }),
      ...(each.when?.byVariant && {
        when: {
          ...each.when,
          ...sharesByChoice(each.when.byVariant, inForce, edge),
          ...(each.when.byUpstream && upstreamLearned(each.when.byUpstream, inForce, { edge, kind: 'branch' })),
        },
      }),
    };
  });
  const sources = spec.sources.map((source, index) => {
    const learned = presentOf(inForce, { edge: spec.edges.length + index, kind: 'branch' });
    return learned === undefined ? source : { ...source, share: learned.value };
  });
  return { ...spec, sources, edges: sharesWithinOne(edges) };
}

type FanOut = NonNullable<EdgeSpec['fanOut']>;
type ByVariant = Readonly<Record<VariantId, number>>;

type Subject = Pick<LearnedEdge, 'edge' | 'from' | 'to' | 'kind' | 'variantId' | 'upstream' | 'stated'>;

/** An edge with the values that are stated for all variants, or for one variant, or for one behind earlier variants. */
interface LearnedPart {
  readonly edge: number;
  readonly variantId?: VariantId;
  readonly upstream?: Readonly<Record<StageId, VariantId>>;
  readonly spec: EdgeSpec;
}

function learnedParts(edges: readonly EdgeSpec[]): readonly LearnedPart[] {
  return edges.flatMap((each, edge): readonly LearnedPart[] => {
    const { when, fanOut, ...rest } = each;
    const variants = new Set(sharesByVariant(each).flatMap((shares) => Object.keys(shares) as VariantId[]));
    const forAll: EdgeSpec = {
      ...rest,
      ...(when && when.byVariant === undefined && { when }),
      ...(fanOut && fanOut.byVariant === undefined && { fanOut }),
    };
    const forVariant = (variant: VariantId): EdgeSpec => ({
      ...rest,
      ...(when?.byVariant && { when: { ...when, probability: when.byVariant[variant] ?? when.probability } }),
      ...(fanOut?.byVariant && { fanOut: { expected: fanOut.byVariant[variant] ?? fanOut.expected } }),
    });
    return [
      { edge, spec: forAll },
      ...[...variants].map((variantId) => ({ edge, variantId, spec: forVariant(variantId) })),
      ...partsByUpstream(each, edge, rest),
    ];
  });
}

function partsByUpstream(
  { when, fanOut }: EdgeSpec,
  edge: number,
  rest: Omit<EdgeSpec, 'when' | 'fanOut'>,
): readonly LearnedPart[] {
  const parts = (all: readonly UpstreamShares[] | undefined, specOf: (share: number) => EdgeSpec) =>
    (all ?? []).flatMap(({ upstream, byVariant }) =>
      Object.entries(byVariant).map(([id, share]) => ({
        ...{ edge, upstream, variantId: id as VariantId },
        spec: specOf(share),
      })),
    );
  return [
    ...parts(when?.byUpstream, (probability) => ({ ...rest, ...(when && { when: { ...when, probability } }) })),
    ...parts(fanOut?.byUpstream, (expected) => ({ ...rest, fanOut: { expected } })),
  ];
}

function upstreamLearned(
  all: readonly UpstreamShares[],
  inForce: readonly LearnedEdge[],
  of: Pick<Subject, 'edge' | 'kind'>,
) {
  return {
    byUpstream: all.map((each) => ({
      ...each,
      byVariant: withLearned(each.byVariant, inForce, { ...of, upstream: each.upstream }),
    })),
  };
}

function withLearned(
  stated: ByVariant,
  inForce: readonly LearnedEdge[],
  { edge, kind, upstream }: Pick<Subject, 'edge' | 'kind' | 'upstream'>,
): ByVariant {
  const learned = inForce.flatMap((each) =>
    each.edge === edge && each.kind === kind && each.variantId !== undefined && isSame(each.upstream, upstream)
      ? [[each.variantId, each.value]]
      : [],
  );
  return { ...stated, ...Object.fromEntries(learned) };
}

function itemsByVariant(stated: ByVariant, inForce: readonly LearnedEdge[], edge: number): FanOut {
  const byVariant = withLearned(stated, inForce, { edge, kind: 'fan-out' });
  const values: readonly number[] = Object.values(byVariant);
  return { expected: meanOf(values), byVariant };
}

function sharesByChoice(stated: ByVariant, inForce: readonly LearnedEdge[], edge: number) {
  const byVariant = withLearned(stated, inForce, { edge, kind: 'branch' });
  const values: readonly number[] = Object.values(byVariant);
  return { byVariant, probability: meanOf(values) };
}

interface Standing {
  readonly of: Subject;
  readonly estimate: EdgeEstimate | undefined;
}

function fanOutStanding({ spec, ...part }: LearnedPart, memory: EdgeMemory): Standing | undefined {
  const { from, to, fanOut } = spec;
  if (fanOut === undefined) return undefined;
  const stated = fanOut.expected;
  return { of: { ...part, from, to, kind: 'fan-out', stated }, estimate: itemsEstimate(memory, stated) };
}

function branchStanding({ spec, ...part }: LearnedPart, memory: EdgeMemory): Standing | undefined {
  const { from, to, when } = spec;
  if (when === undefined) return undefined;
  const stated = when.probability;
  return { of: { ...part, from, to, kind: 'branch', stated }, estimate: shareEstimate(memory, stated) };
}

/** Also for values of before a restart. */
const isSame = (a: Subject['upstream'], b: Subject['upstream']): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

const isBranchOf =
  ({ from, variantId, upstream }: Subject) =>
  ({ of }: Standing): boolean =>
    of.kind === 'branch' && of.from === from && of.variantId === variantId && isSame(of.upstream, upstream);

function presentOf(
  inForce: readonly LearnedEdge[],
  { edge, kind, variantId, upstream }: Pick<Subject, 'edge' | 'kind' | 'variantId' | 'upstream'>,
): LearnedEdge | undefined {
  return inForce.find(
    (each) =>
      each.edge === edge && each.kind === kind && each.variantId === variantId && isSame(each.upstream, upstream),
  );
}

function hasLeft(estimate: EdgeEstimate | undefined, value: number, kind: LearnedEdge['kind']): boolean {
  if (estimate === undefined) return false;
  const allowed = Math.max(toleranceAt(value, kind), TOLERANCE_ERRORS * estimate.standardError);
  return Math.abs(estimate.value - value) > allowed;
}

function agrees(estimate: EdgeEstimate | undefined, { stated, kind }: Subject): boolean {
  return estimate === undefined || Math.abs(estimate.value - stated) <= AGREES * toleranceAt(stated, kind);
}

const toleranceAt = (value: number, kind: LearnedEdge['kind']): number =>
  Math.max(TOLERANCE_FRACTION * value, TOLERANCE[kind]);

function stepped(value: number, { kind, stated }: Subject): number {
  if (kind === 'branch') return Number(value.toPrecision(DIGITS));
  const factor = Math.max(value, TOLERANCE['fan-out']) / stated;
  return stated * STEP ** Math.round(Math.log(factor) / Math.log(STEP));
}

/**
 * Fan-out with another mean. A distribution keeps its shape: k items become k · (new mean / old mean), rounded up or
 * down at random.
 */
function stretched({ expected, distribution }: FanOut, mean: number): FanOut {
  if (distribution === undefined) return { expected: mean };
  const factor = mean / expected;
  const fractions = new Array<number>(Math.ceil((distribution.length - 1) * factor) + 1).fill(0);
  for (const [items, fraction] of distribution.entries()) {
    const lower = Math.floor(items * factor);
    const above = items * factor - lower;
    fractions[lower] = (fractions[lower] ?? 0) + fraction * (1 - above);
    if (above > 0) fractions[lower + 1] = (fractions[lower + 1] ?? 0) + fraction * above;
  }
  return { expected: mean, distribution: fractions };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
