/** Places of stages and edges: dagre's layered layout. */
import { Graph, layout } from '@dagrejs/dagre';
import type { PipelineGraph } from '../api/answers.js';

export interface Placed {
  readonly id: string;
  readonly kind: 'source' | 'stage' | 'combine' | 'answer';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  /** Index in `graph.edges`; undefined for the edges of sources and of the answer. */
  readonly index: number | undefined;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly label: { readonly x: number; readonly y: number };
}

export interface GraphPlaces {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly Placed[];
  readonly edges: readonly PlacedEdge[];
}

const STAGE = { width: 204, height: 158 } as const;
const PILL = { width: 84, height: 40 } as const;
const ANSWER = ' answer';
const sourceId = (name: string): string => ` source ${name}`;

/** `across`: from left to right, else from top to bottom. */
export function placeGraph(graph: PipelineGraph, across: boolean): GraphPlaces {
  const made = new Graph({ multigraph: true });
  const [ranksep, nodesep] = across ? [36, 24] : [44, 20];
  made.setGraph({ rankdir: across ? 'LR' : 'TB', ranksep, nodesep, marginx: 8, marginy: 8 });
  made.setDefaultEdgeLabel(() => ({}));
  const kinds = new Map<string, Placed['kind']>();
  const add = (id: string, kind: Placed['kind'], size: { readonly width: number; readonly height: number }) => {
    kinds.set(id, kind);
    made.setNode(id, { ...size });
  };
  for (const { stageId } of graph.stages) add(stageId, 'stage', STAGE);
  for (const { stageId } of graph.combines) add(stageId, 'combine', PILL);
  // The two lines of a label lie above and below an edge to the right, and next to an edge downwards.
  const label = { height: 30, labelpos: across ? 'c' : 'r' };
  const link = (from: string, to: string, index?: number) => {
    if (kinds.has(from) && kinds.has(to))
      made.setEdge(from, to, { index, width: index === undefined ? 0 : 58, ...label }, `edge ${index}`);
  };
  for (const { name, to } of graph.sources) {
    add(sourceId(name), 'source', PILL);
    for (const id of to) link(sourceId(name), id);
  }
  for (const [index, { from, to }] of graph.edges.entries()) link(from, to, index);
  add(ANSWER, 'answer', PILL);
  for (const { from } of graph.outputs) link(from, ANSWER);
  layout(made);
  return placesOf(made, kinds);
}

function placesOf(made: InstanceType<typeof Graph>, kinds: ReadonlyMap<string, Placed['kind']>): GraphPlaces {
  const nodes = (made.nodes() as string[]).map((id): Placed => {
    const { x = 0, y = 0, width = 0, height = 0 } = made.node(id) as Partial<Placed>;
    return { id, kind: kinds.get(id) ?? 'stage', x: x - width / 2, y: y - height / 2, width, height };
  });
  const edges = (made.edges() as { v: string; w: string; name?: string }[]).map(({ v, w, name }): PlacedEdge => {
    const edge = made.edge(v, w, name) as { points: PlacedEdge['points']; index?: number; x?: number; y?: number };
    const middle = edge.points[Math.floor(edge.points.length / 2)] ?? { x: 0, y: 0 };
    return {
      from: v,
      to: w,
      index: edge.index,
      points: edge.points,
      label: { x: edge.x ?? middle.x, y: edge.y ?? middle.y },
    };
  });
  const { width = 0, height = 0 } = made.graph() as { width?: number; height?: number };
  return { width, height, nodes, edges };
}

/** Name of a source without its mark. */
export const plainName = (id: string): string => id.replace(/^ source /, '').replace(/^ /, '');

/** Smooth curve through the points of an edge. */
export function curveOf(points: PlacedEdge['points']): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${first.x},${first.y}`;
  for (let at = 0; at < rest.length; at++) {
    const here = rest[at] as { x: number; y: number };
    const next = rest[at + 1];
    if (next === undefined) path += ` L${here.x},${here.y}`;
    else path += ` Q${here.x},${here.y} ${(here.x + next.x) / 2},${(here.y + next.y) / 2}`;
  }
  return path;
}
