/**
 * Graph parts that a file may omit. Without `edges`, the stages form a chain. Without `to`, a source enters every stage
 * that has no in-edge. Without `outputs`, every stage that has no out-edge answers.
 */

const SOURCE = 'source.';

/** Tensor of the request that an edge input takes; undefined for an output of a stage. */
export function sourceTensorOf(from: string): string | undefined {
  return from.startsWith(SOURCE) ? from.slice(SOURCE.length) : undefined;
}

export interface NamedEdge {
  readonly from: string;
  readonly to: string;
}

export function chainEdges(stages: readonly string[]): NamedEdge[] {
  return stages.slice(1).map((to, index) => ({ from: stages[index] as string, to }));
}

export function entryStages(stages: readonly string[], edges: readonly NamedEdge[]): string[] {
  const targets = new Set(edges.map(({ to }) => to));
  return stages.filter((stage) => !targets.has(stage));
}

export function lastStages(stages: readonly string[], edges: readonly NamedEdge[]): string[] {
  const origins = new Set(edges.map(({ from }) => from));
  return stages.filter((stage) => !origins.has(stage));
}
