/**
 * Finds the work that a filled `any` or `quorum` join makes discardable. This is the work of stages from which every
 * path to an end passes the join, in the same part of the request. An end is an output, or a stage without out-edges.
 * Requires the topological order of an acyclic graph.
 */

/** Join that may continue before all inputs have arrived. */
export interface EarlyJoin {
  readonly stage: number;
  /** Edge that closes a fan-out after its first items; undefined if the join waits at several in-edges. */
  readonly closing: number | undefined;
  /** Fan-outs (edge indices, outermost first) that are open at its inputs. */
  readonly open: readonly number[];
}

/** Items of a stage are discardable once `join` has continued for the item that is `levels` fan-outs further out. */
export interface DiscardRule {
  readonly join: EarlyJoin;
  readonly levels: number;
}

export interface DiscardGraph {
  readonly order: readonly number[];
  readonly successors: readonly (readonly number[])[];
  readonly answers: readonly boolean[];
  /** Open fan-outs at each stage, outermost first. */
  readonly open: readonly (readonly number[])[];
}

/** By stage, the joins that make its items discardable. */
export function discardRules(graph: DiscardGraph, joins: readonly EarlyJoin[]): readonly (readonly DiscardRule[])[] {
  const rules: DiscardRule[][] = graph.open.map(() => []);
  for (const join of joins) {
    const avoids = stagesThatAvoid(graph, join.stage);
    for (const [stage, open] of graph.open.entries()) {
      if (stage === join.stage || avoids[stage] || !beginsWith(open, join.open)) continue;
      rules[stage]?.push({ join, levels: open.length - join.open.length });
    }
  }
  return rules;
}

/** Stages with a path to an end that avoids `joined`. */
function stagesThatAvoid({ order, successors, answers }: DiscardGraph, joined: number): readonly boolean[] {
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
