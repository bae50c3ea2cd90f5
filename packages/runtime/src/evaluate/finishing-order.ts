/**
 * Order in which stages finish a sample, for joins that wait for the first inputs only. Each stage takes a time drawn
 * from its profile, as on a server without queues. So the members of a quorum are the fastest ones, and as often others
 * as the profile tells. A stage behind such a join counts as waiting for all of its inputs.
 */

import type { ServingGraph } from '@equipoise/core/graph';
import {
  OMITTED,
  type PipelineSpec,
  type ProfileSet,
  SeededRng,
  type StageId,
  type TensorMap,
  type VariantId,
  variantOfChoice,
} from '@equipoise/core/model';
import { curvesOf, drawMs } from '@equipoise/core/plan';
import { flowCores } from '../profiling/flow.js';
import { tensorsDigest } from '../profiling/profile-identity.js';
import type { VariantChoice } from './variant-combinations.js';

type Law = Parameters<typeof drawMs>[0];

/** Times of single items by stage, then by variant. */
type Laws = ReadonlyMap<StageId, ReadonlyMap<VariantId, Law>>;

export class FinishingOrder {
  readonly #graph: ServingGraph;
  /** Undefined if the order does not matter, or a profile is missing. */
  readonly #laws: Laws | undefined;
  readonly #rng = new SeededRng(1);

  constructor(spec: PipelineSpec, graph: ServingGraph, profiles: ProfileSet) {
    this.#graph = graph;
    this.#laws = hasEarlyJoins(graph) ? lawsOf(spec, profiles) : undefined;
  }

  /** Equal for equal times; undefined without. */
  get times(): unknown {
    return this.#laws && [...this.#laws].map(([stage, laws]) => [stage, [...laws]]);
  }

  /** Nodes in a topological order, for a choice. Equal samples take equal times. */
  forSample(inputs: TensorMap): (choice: VariantChoice) => readonly number[] {
    const laws = this.#laws;
    if (laws === undefined) return () => this.#graph.topologicalOrder;
    const key = tensorsDigest(inputs);
    return (choice) => this.#order(laws, choice, key);
  }

  #order(laws: Laws, choice: VariantChoice, key: string): readonly number[] {
    const { nodes, edges, topologicalOrder } = this.#graph;
    const finishedMs = nodes.map(() => 0);
    for (const index of topologicalOrder) {
      const into = edges.filter(({ to }) => to === index).map(({ from }) => finishedMs[from] ?? 0);
      finishedMs[index] = Math.max(0, ...into) + this.#drawMs(laws, { stage: nodes[index]?.id, choice, key });
    }
    return topologicalOrder.toSorted((a, b) => (finishedMs[a] ?? 0) - (finishedMs[b] ?? 0));
  }

  /** 0 for a combine stage and an omitted one. */
  #drawMs(
    laws: Laws,
    {
      stage,
      choice,
      key,
    }: { readonly stage: StageId | undefined; readonly choice: VariantChoice; readonly key: string },
  ): number {
    const chosen = stage === undefined ? undefined : choice[stage];
    if (stage === undefined || chosen === undefined || chosen === OMITTED) return 0;
    const variant = variantOfChoice(chosen);
    const law = laws.get(stage)?.get(variant);
    return law === undefined ? 0 : drawMs(law, this.#rng.fork(`${stage} ${variant} ${key}`));
  }
}

/** True if a stage may continue before all of its in-edges have brought something. */
export const hasEarlyJoins = ({ nodes }: Pick<ServingGraph, 'nodes'>): boolean =>
  nodes.some(({ inputs, awaited }) => awaited < inputs);

function lawsOf(spec: PipelineSpec, profiles: ProfileSet): Laws | undefined {
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') return undefined;
  return new Map(
    spec.stages.map(({ id, variants }) => [
      id,
      new Map(
        variants.flatMap((variant): readonly (readonly [VariantId, Law])[] => {
          const law = curves.curve(id, variant.id, flowCores(variant))?.law(1);
          return law === undefined ? [] : [[variant.id, law]];
        }),
      ),
    ]),
  );
}
