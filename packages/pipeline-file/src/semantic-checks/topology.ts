/**
 * Stages must form a directed acyclic graph in which a request reaches all of them. Kahn's algorithm leaves the stages
 * on and after cycles. Walking their edges backwards finds a cycle, which is removed. The walk is repeated.
 */
import { invariant } from '@equipoise/core/model';
import type { Finding } from '../problem.js';
import type { GraphDraft, GraphEdge } from './graph-draft.js';

/** Topological order, without the stages on and after cycles. */
export interface Topology {
  readonly order: readonly number[];
  readonly cycles: readonly (readonly GraphEdge[])[];
}

export function topologyOf(graph: GraphDraft): Topology {
  const blocked = graph.incoming.map((edges) => edges.length);
  const order = release(
    graph,
    blocked,
    blocked.flatMap((count, stage) => (count === 0 ? [stage] : [])),
  );
  const cycles: GraphEdge[][] = [];
  for (let left = firstBlocked(blocked, 0); left >= 0; left = firstBlocked(blocked, left)) {
    const cycle = cycleBefore(graph, blocked, left);
    cycles.push(cycle);
    for (const { to } of cycle) blocked[to] = 0;
    release(
      graph,
      blocked,
      cycle.map(({ to }) => to),
    );
  }
  return { order, cycles };
}

/** Removes `free` stages and all that this frees. `blocked` counts in-edges from remaining stages. */
function release(graph: GraphDraft, blocked: number[], free: readonly number[]): number[] {
  const order = [...free];
  for (const stage of order) {
    for (const { to } of graph.outgoing[stage] ?? []) {
      const count = blocked[to] ?? 0;
      if (count === 0) continue;
      blocked[to] = count - 1;
      if (count === 1) order.push(to);
    }
  }
  return order;
}

const firstBlocked = (blocked: readonly number[], from: number): number =>
  blocked.findIndex((count, stage) => stage >= from && count > 0);

function cycleBefore(graph: GraphDraft, blocked: readonly number[], start: number): GraphEdge[] {
  const walked: GraphEdge[] = [];
  const seenAt = new Map<number, number>();
  for (let stage = start; !seenAt.has(stage); ) {
    seenAt.set(stage, walked.length);
    const edge = graph.incoming[stage]?.find(({ from }) => (blocked[from] ?? 0) > 0);
    invariant(edge !== undefined, 'a blocked stage has a blocked predecessor');
    walked.push(edge);
    stage = edge.from;
  }
  const repeated = walked.at(-1)?.from ?? start;
  return walked.slice(seenAt.get(repeated)).reverse();
}

/** Reports each cycle at the edge that is last in the file. */
export function checkCycles(graph: GraphDraft, { cycles }: Topology): Finding[] {
  return cycles.map((cycle) => {
    const names = [...cycle.map(({ from }) => from), cycle[0]?.from ?? 0].map((stage) => graph.names[stage]);
    const position = cycle.reduce((last, edge) => Math.max(last, edge.position), 0);
    return {
      path: ['spec', 'edges', position],
      message: `expected edges without a cycle, found ${names.join(' → ')}`,
    };
  });
}

/** Stages on cycles count as reached: they are already reported. */
export function checkReachability(graph: GraphDraft, { cycles }: Topology): Finding[] {
  if (!graph.complete) return [];
  const reached = new Set([...graph.entries, ...cycles.flat().map(({ to }) => to)]);
  for (const stage of reached) for (const { to } of graph.outgoing[stage] ?? []) reached.add(to);
  return graph.names.flatMap((name, stage) =>
    reached.has(stage)
      ? []
      : [{ path: ['spec', 'stages', stage], message: `stage "${name}" is not reached from the source by any edge` }],
  );
}

export function checkRepeatedEdges(graph: GraphDraft): Finding[] {
  const seen = new Set<string>();
  return graph.edges.flatMap(({ from, to, position }) => {
    const key = `${from} ${to}`;
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    const message = `expected one edge between two stages, found a second from "${graph.names[from]}" to "${graph.names[to]}"`;
    return [{ path: ['spec', 'edges', position], message }];
  });
}
