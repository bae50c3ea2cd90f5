/**
 * What a file means that leaves out parts of the graph: without `edges` the stages are a chain in the order written, without
 * `to` a source enters every stage without an incoming edge, without `outputs` every stage without an outgoing edge answers.
 */

/** An edge by the names of its stages. */
export interface NamedEdge {
  readonly from: string;
  readonly to: string;
}

/** The edges of a chain of these stages. */
export function chainEdges(stages: readonly string[]): NamedEdge[] {
  return stages.slice(1).map((to, index) => ({ from: stages[index] as string, to }));
}

/** Stages without an incoming edge. */
export function entryStages(stages: readonly string[], edges: readonly NamedEdge[]): string[] {
  const targets = new Set(edges.map(({ to }) => to));
  return stages.filter((stage) => !targets.has(stage));
}

/** Stages without an outgoing edge. */
export function lastStages(stages: readonly string[], edges: readonly NamedEdge[]): string[] {
  const origins = new Set(edges.map(({ from }) => from));
  return stages.filter((stage) => !origins.has(stage));
}
