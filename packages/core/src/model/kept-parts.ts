/**
 * Check that a pipeline without some nodes still has a part for each join. A request takes all edges of a stage without a
 * condition, and at most one of the others. A fan-out may have no items, and the part of an optional source may be
 * missing. All outcomes count as possible, except that a condition `true` always holds.
 */
import type { StageId } from './ids.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';
import { fanOutOpeners, topologicalOrder } from './stage-order.js';

type PartGraph = Pick<PipelineSpec, 'sources' | 'stages' | 'combines' | 'edges'>;

/** Outcomes of requests at a node, for one join. */
interface Outcomes {
  /** True if a request may leave the join without a part. */
  readonly avoids: boolean;
  /** True if such a request may have a part in the whole pipeline. */
  readonly loses: boolean;
}

const AT_JOIN: Outcomes = { avoids: false, loses: false };
const ELSEWHERE: Outcomes = { avoids: true, loses: false };

/** Outcomes if a request goes all ways. */
function together(ways: readonly Outcomes[]): Outcomes {
  const avoids = ways.every((way) => way.avoids);
  return { avoids, loses: avoids && ways.some(({ loses }) => loses) };
}

/** Outcomes if a request goes one of the ways. */
function either(ways: readonly Outcomes[]): Outcomes {
  return { avoids: ways.some(({ avoids }) => avoids), loses: ways.some(({ loses }) => loses) };
}

/** True if each request still visits all nodes but `gone` that it visits in the whole pipeline. */
export function keepsParts(graph: PartGraph, gone: ReadonlySet<StageId>): boolean {
  const joins = new Set(graph.edges.filter(({ from, to }) => gone.has(from) && !gone.has(to)).map(({ to }) => to));
  if (joins.size === 0) return true;
  const order = topologicalOrder(graph).toReversed();
  const closers = new Map<EdgeSpec, StageId[]>();
  for (const [{ to }, opener] of fanOutOpeners(graph)) {
    // A combine stage is skipped without items.
    if (!graph.combines?.some(({ id }) => id === to)) closers.set(opener, [...(closers.get(opener) ?? []), to]);
  }
  return ![...joins].some((join) => losesPart({ ...graph, gone, order, closers }, join));
}

interface LossQuestion extends PartGraph {
  readonly gone: ReadonlySet<StageId>;
  /** From the last node to the first. */
  readonly order: readonly StageId[];
  /** By fan-out: nodes that a request visits behind it even if there are no items. */
  readonly closers: ReadonlyMap<EdgeSpec, readonly StageId[]>;
}

function losesPart({ sources, edges, gone, order, closers }: LossQuestion, join: StageId): boolean {
  const outcomes = new Map<StageId, Outcomes>([[join, AT_JOIN]]);
  const at = (id: StageId): Outcomes => outcomes.get(id) ?? ELSEWHERE;
  const along = (edge: EdgeSpec): Outcomes =>
    edge.fanOut === undefined
      ? at(edge.to)
      : together([either([at(edge.to), ELSEWHERE]), ...(closers.get(edge) ?? []).map(at)]);
  for (const id of order) {
    const ways = edges.filter(({ from }) => from === id);
    if (gone.has(id)) {
      const loses = ways.some(({ to }) => to === join || (gone.has(to) && at(to).loses));
      outcomes.set(id, { avoids: true, loses });
    } else if (id !== join) outcomes.set(id, outcomesOf(ways, along));
  }
  const entered = sources.map(({ to, onMissing }) => {
    const part = together(to.map(at));
    return onMissing === 'partial' ? either([part, ELSEWHERE]) : part;
  });
  return together(entered).loses;
}

function outcomesOf(ways: readonly EdgeSpec[], along: (edge: EdgeSpec) => Outcomes): Outcomes {
  const branches = ways.filter(({ when }) => when !== undefined);
  const isExhaustive = branches.some(({ when }) => when?.condition === 'true');
  const others = ways.filter(({ when }) => when === undefined);
  const branch = either([...branches.map(along), ...(isExhaustive ? [] : [ELSEWHERE])]);
  return together([branch, ...others.map(along)]);
}
