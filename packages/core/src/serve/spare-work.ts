/**
 * Which work an `any` or `quorum` join makes needless once it has what it waits for: that of the stages from which every way to an
 * end (an output, or a stage that leads nowhere) passes the join, in the part of the request that the join stands for.
 * Assumes a graph without cycles, given by its topological order.
 */

/** A join that may go on before all that it could wait for has come. */
export interface EarlyJoin {
  /** The stage that it lets start. */
  readonly stage: number;
  /** The edge that closes a fan-out with its first items; undefined where the join chooses among several in-edges. */
  readonly closing: number | undefined;
  /** The fan-outs (edge indices, outermost first) that are open where its parts arrive. */
  readonly open: readonly number[];
}

/** Says that items of a stage are needless once `join` has gone on for the member `levels` fan-outs further out. */
export interface SpareRule {
  readonly join: EarlyJoin;
  readonly levels: number;
}

/** The graph as far as it matters here, by stage index. */
export interface SpareWorkGraph {
  /** Stage indices such that every edge goes from an earlier to a later one. */
  readonly order: readonly number[];
  readonly successors: readonly (readonly number[])[];
  readonly answers: readonly boolean[];
  /** The fan-outs that are open around each stage, outermost first. */
  readonly open: readonly (readonly number[])[];
}

/** By stage, the joins that can make its items needless. */
export function spareRules(graph: SpareWorkGraph, joins: readonly EarlyJoin[]): readonly (readonly SpareRule[])[] {
  const rules: SpareRule[][] = graph.open.map(() => []);
  for (const join of joins) {
    const avoids = stagesThatAvoid(graph, join.stage);
    for (const [stage, open] of graph.open.entries()) {
      if (stage === join.stage || avoids[stage] || !beginsWith(open, join.open)) continue;
      rules[stage]?.push({ join, levels: open.length - join.open.length });
    }
  }
  return rules;
}

/** Stages from which some way to an end does not pass `joined`. */
function stagesThatAvoid({ order, successors, answers }: SpareWorkGraph, joined: number): readonly boolean[] {
  const avoids = answers.map(() => false);
  for (const stage of order.toReversed()) {
    if (stage === joined) continue;
    const next = successors[stage] ?? [];
    avoids[stage] = answers[stage] === true || next.length === 0 || next.some((to) => avoids[to]);
  }
  return avoids;
}

const beginsWith = (list: readonly number[], start: readonly number[]): boolean =>
  list.length >= start.length && start.every((entry, i) => list[i] === entry);
