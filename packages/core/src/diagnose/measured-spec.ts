/** The pipeline as it was measured: fan-outs, shares and service times that differ from the file. */
import type { VariantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec, UpstreamShares } from '../model/pipeline-spec.js';
import { sharesWithinOne } from '../model/shares-within-one.js';

/**
 * Spec in which some edges have other values: items of a fan-out, or the probability of a `when`. `stated`: edges with
 * the values of the choices that were measured (`edgesOfPlan`). Shares by variant change in proportion.
 */
export function specWithEdges(
  spec: PipelineSpec,
  values: ReadonlyMap<number, number>,
  stated: readonly EdgeSpec[] = spec.edges,
): PipelineSpec {
  const edges = spec.edges.map((edge, index): EdgeSpec => {
    const value = values.get(index);
    if (value === undefined) return edge;
    const { fanOut, when } = edge;
    if (fanOut !== undefined) {
      const scaled = inProportion(value, stated[index]?.fanOut?.expected);
      if (fanOut.byVariant === undefined) return { ...edge, fanOut: { expected: value } };
      const { distribution: _, ...means } = fanOut;
      return { ...edge, fanOut: { ...means, expected: scaled(fanOut.expected), ...scaledShares(fanOut, scaled) } };
    }
    if (when === undefined) return edge;
    const scaled = inProportion(value, stated[index]?.when?.probability);
    const share = (before: number): number => Math.min(1, scaled(before));
    if (when.byVariant === undefined) return { ...edge, when: { ...when, probability: Math.min(1, value) } };
    return { ...edge, when: { ...when, probability: share(when.probability), ...scaledShares(when, share) } };
  });
  return { ...spec, edges: sharesWithinOne(edges, (index) => values.has(index)) };
}

type Scale = (before: number) => number;

const inProportion =
  (value: number, stated: number | undefined): Scale =>
  (before) =>
    stated !== undefined && stated > 0 ? (before * value) / stated : value;

interface SharesByChoice {
  readonly byVariant?: Readonly<Record<VariantId, number>>;
  readonly byUpstream?: readonly UpstreamShares[];
}

function scaledShares({ byVariant, byUpstream }: SharesByChoice, scaled: Scale): SharesByChoice {
  const all = (shares: Readonly<Record<VariantId, number>>): Readonly<Record<VariantId, number>> =>
    Object.fromEntries(Object.entries<number>(shares).map(([id, share]) => [id, scaled(share)]));
  return {
    ...(byVariant && { byVariant: all(byVariant) }),
    ...(byUpstream && { byUpstream: byUpstream.map((of) => ({ ...of, byVariant: all(of.byVariant) })) }),
  };
}
