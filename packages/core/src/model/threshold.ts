/**
 * Thresholds of conditions. A stage whose `when` edges list several thresholds is a decision: a plan chooses one. A
 * single threshold is fixed. Shares and measured accuracies depend on the choice of a stage: its variant, at a threshold
 * if it has several, or `OMITTED`.
 */
import type { AccuracyTable, MeasuredCombination } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { EdgeSpec, PipelineSpec, UpstreamShares } from './pipeline-spec.js';

type Graph = Pick<PipelineSpec, 'edges'>;

/** No name of a variant has a space. */
const AT = ' at ';

/** Thresholds of a stage, ascending; empty if its conditions have none. All its edges list the same ones. */
export function thresholdsOf({ edges }: Graph, stage: StageId): readonly number[] {
  return edges.find(({ from, when }) => from === stage && when?.thresholds !== undefined)?.when?.thresholds ?? [];
}

/** Thresholds from which a plan chooses; empty if there is no choice. */
export function thresholdChoices(graph: Graph, stage: StageId): readonly number[] {
  const all = thresholdsOf(graph, stage);
  return all.length > 1 ? all : [];
}

export const hasThresholdChoices = ({ edges }: Graph): boolean =>
  edges.some(({ when }) => (when?.thresholds?.length ?? 0) > 1);

/** The choice of a stage: the variant, at its threshold if it has one. */
export function atThreshold(variant: VariantId, threshold: number | undefined): VariantId {
  return threshold === undefined ? variant : (`${variant}${AT}${threshold}` as VariantId);
}

/** Variant of a choice, which may have a threshold and a quorum (`atQuorum`). */
export function variantOfChoice(choice: VariantId): VariantId {
  const end = choice.indexOf(' ');
  return end < 0 ? choice : (choice.slice(0, end) as VariantId);
}

/** Threshold of a choice; undefined without one. */
export function thresholdOfChoice(choice: VariantId): number | undefined {
  const end = choice.indexOf(AT);
  return end < 0 ? undefined : Number.parseFloat(choice.slice(end + AT.length));
}

/** Choices of a stage, apart from omitting it: each variant at each threshold. */
export function choicesOf(graph: Graph, stage: StageId, variants: readonly VariantId[]): readonly VariantId[] {
  const thresholds = thresholdChoices(graph, stage);
  if (thresholds.length === 0) return variants;
  return variants.flatMap((variant) => thresholds.map((threshold) => atThreshold(variant, threshold)));
}

/**
 * The spec with fixed thresholds, by stage. Shares and measured combinations are those of the thresholds, by variant.
 * Stages without an entry keep their choices.
 */
export function withThresholds(spec: PipelineSpec, chosen: ReadonlyMap<StageId, number>): PipelineSpec {
  if (chosen.size === 0) return spec;
  const { accuracyTable } = spec;
  return {
    ...spec,
    edges: spec.edges.map((edge) => edgeAt(edge, chosen.get(edge.from))),
    ...(accuracyTable && { accuracyTable: tableAt(accuracyTable, chosen) }),
  };
}

function edgeAt(edge: EdgeSpec, threshold: number | undefined): EdgeSpec {
  if (threshold === undefined) return edge;
  const { when, fanOut } = edge;
  const branch = when?.byVariant && sharesAt(when.byVariant, threshold);
  const items = fanOut?.byVariant && sharesAt(fanOut.byVariant, threshold);
  const upstreamAt = (all: readonly UpstreamShares[]) => ({
    byUpstream: all.map((of) => ({ ...of, byVariant: sharesAt(of.byVariant, threshold) })),
  });
  return {
    ...edge,
    ...(when && {
      when: {
        ...when,
        ...(when.thresholds && { thresholds: [threshold] }),
        ...(branch && { probability: meanOf(branch), byVariant: branch }),
        ...(when.byUpstream && upstreamAt(when.byUpstream)),
      },
    }),
    ...(items && {
      fanOut: {
        expected: meanOf(items),
        byVariant: items,
        ...(fanOut?.byUpstream && upstreamAt(fanOut.byUpstream)),
      },
    }),
  };
}

type Shares = Readonly<Record<VariantId, number>>;

function sharesAt(shares: Shares, threshold: number): Shares {
  const own = Object.entries(shares).filter(([choice]) => thresholdOfChoice(choice as VariantId) === threshold);
  return Object.fromEntries(own.map(([choice, share]) => [variantOfChoice(choice as VariantId), share]));
}

function meanOf(shares: Shares): number {
  const values: readonly number[] = Object.values(shares);
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function tableAt(table: AccuracyTable, chosen: ReadonlyMap<StageId, number>): AccuracyTable {
  const combinations: MeasuredCombination[] = [];
  for (const each of table.combinations) {
    if (!isAt(each.variants, chosen)) continue;
    const variants: Record<StageId, VariantId> = { ...each.variants };
    for (const stage of chosen.keys()) variants[stage] = variantOfChoice(variants[stage] as VariantId);
    combinations.push({ ...each, variants });
  }
  return { ...table, combinations };
}

function isAt(variants: MeasuredCombination['variants'], chosen: ReadonlyMap<StageId, number>): boolean {
  for (const [stage, threshold] of chosen) {
    const choice = variants[stage];
    if (choice === undefined || thresholdOfChoice(choice) !== threshold) return false;
  }
  return true;
}
