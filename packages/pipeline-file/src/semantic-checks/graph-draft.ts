import { closesFanOut, type Join } from '@equipoise/core/model';
import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import { chainEdges, entryStages, lastStages } from '../implied-graph.js';

/** Edge between stage indices. `position` is its index in `spec.edges`, or among the implied edges. */
export interface GraphEdge {
  readonly position: number;
  readonly from: number;
  readonly to: number;
  readonly kind: 'plain' | 'fan-out' | 'join';
  readonly conditional: boolean;
}

/** `complete` is false if a part is malformed. */
export interface GraphDraft {
  readonly names: readonly string[];
  readonly edges: readonly GraphEdge[];
  readonly outgoing: readonly (readonly GraphEdge[])[];
  readonly incoming: readonly (readonly GraphEdge[])[];
  readonly entries: readonly number[];
  readonly outputs: readonly { readonly stage: number; readonly position: number | undefined }[];
  readonly complete: boolean;
}

/** Graph of a spec. If two stages share a name, the name means the first. */
export function graphDraft(spec: SpecDraft): GraphDraft {
  const names = (spec.stages ?? []).map((stage) => stage?.name ?? '');
  const indexOf = new Map<string, number>();
  for (const [index, name] of names.entries()) if (name !== '' && !indexOf.has(name)) indexOf.set(name, index);
  const written = spec.edges ?? (isMalformed(spec, 'edges') ? [] : chainEdges([...indexOf.keys()]));
  const edges = graphEdges(written, indexOf);
  const namedEdges = edges.map(({ from, to }) => ({ from: names[from] as string, to: names[to] as string }));
  const entries = (explicitEntries(spec) ?? entryStages(names, namedEdges)).map((name) => indexOf.get(name));
  const outputs = spec.outputs ?? lastStages(names, namedEdges).map((from) => ({ from }));
  const known = <T>(list: readonly (T | undefined)[]) => list.filter((entry) => entry !== undefined);
  return {
    names,
    edges,
    outgoing: grouped(edges, names.length, 'from'),
    incoming: grouped(edges, names.length, 'to'),
    entries: known(entries),
    outputs: [...wellFormedEntries(outputs)].flatMap(([position, { from }]) => {
      const stage = indexOf.get(from ?? '');
      return stage === undefined ? [] : [{ stage, position: spec.outputs === undefined ? undefined : position }];
    }),
    complete:
      indexOf.size === names.length &&
      edges.length === written.length &&
      !entries.includes(undefined) &&
      !isMalformed(spec, 'edges') &&
      !isMalformed(spec, 'sources') &&
      ![...wellFormedEntries(spec.edges)].some(([, edge]) => isUnclear(edge)),
  };
}

type EdgeDraft = NonNullable<NonNullable<SpecDraft['edges']>[number]>;

export const isFanOutAndJoin = (edge: EdgeDraft): boolean =>
  Object.hasOwn(edge, 'fanOut') && Object.hasOwn(edge, 'join');

const isUnclear = (edge: EdgeDraft): boolean =>
  isFanOutAndJoin(edge) || isMalformed(edge, 'fanOut') || isMalformed(edge, 'join');

function graphEdges(written: readonly (EdgeDraft | undefined)[], indexOf: ReadonlyMap<string, number>): GraphEdge[] {
  return [...wellFormedEntries(written)].flatMap(([position, edge]) => {
    const from = indexOf.get(edge.from ?? '');
    const to = indexOf.get(edge.to ?? '');
    if (from === undefined || to === undefined) return [];
    return [{ position, from, to, kind: kindOf(edge, written), conditional: Object.hasOwn(edge, 'when') }];
  });
}

function kindOf(edge: EdgeDraft, written: readonly (EdgeDraft | undefined)[]): GraphEdge['kind'] {
  if (edge.fanOut !== undefined) return 'fan-out';
  const inEdges = written.filter((other) => other?.to === edge.to).length;
  return closesFanOut({ join: edge.join as Join }, inEdges) ? 'join' : 'plain';
}

/** Entry stages that sources name; undefined if a source omits `to`. */
function explicitEntries(spec: SpecDraft): string[] | undefined {
  const sources = spec.sources ?? [];
  if (sources.length === 0 || sources.some((source) => source !== undefined && !Object.hasOwn(source, 'to')))
    return undefined;
  const entered = sources.flatMap((source) =>
    typeof source?.to === 'string' ? [source.to] : [...(source?.to ?? [''])],
  );
  return [...new Set(entered.map((name) => name ?? ''))];
}

function grouped(edges: readonly GraphEdge[], stages: number, end: 'from' | 'to'): GraphEdge[][] {
  const groups: GraphEdge[][] = Array.from({ length: stages }, () => []);
  for (const edge of edges) groups[edge[end]]?.push(edge);
  return groups;
}
