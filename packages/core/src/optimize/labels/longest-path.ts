/** The path that decides when the last output is there, as far as nodes wait for all their predecessors. */
import type { NodeGraph } from './label-problem.js';

/** Of `nodes` the one that finishes last; −1 for none. */
function latestOf(nodes: readonly number[], finish: Float64Array): number {
  return nodes.reduce((last, v) => (last === -1 || (finish[v] as number) > (finish[last] as number) ? v : last), -1);
}

/** Nodes of the longest path to an output when node v takes `latencyOf(v)`; it starts at an entry or behind a node that waits for some only. */
export function longestPath(graph: NodeGraph, latencyOf: (node: number) => number): readonly number[] {
  const { predecessors, awaited, isOutput } = graph;
  const finish = new Float64Array(predecessors.length);
  const via = predecessors.map((before, v) => {
    const last = awaited[v] === before.length ? latestOf(before, finish) : -1;
    finish[v] = (last === -1 ? 0 : (finish[last] as number)) + latencyOf(v);
    return last;
  });
  const outputs = predecessors.flatMap((_, v) => (isOutput[v] ? [v] : []));
  const nodes: number[] = [];
  for (let v = latestOf(outputs, finish); v !== -1; v = via[v] as number) nodes.push(v);
  return nodes.reverse();
}
