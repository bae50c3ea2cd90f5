/**
 * A graph as nested sequences and parallel branches, for engines whose graph is a tree. Two parts are in sequence if
 * every last stage of the first leads to every first stage of the second. Other graphs have no tree.
 */
import type { PipelineSpec, StageId, StageSpec } from '@equipoise/core/model';

export type GraphTree =
  | { readonly kind: 'stage'; readonly id: StageId }
  | { readonly kind: 'sequence'; readonly parts: readonly GraphTree[] }
  | { readonly kind: 'parallel'; readonly parts: readonly GraphTree[] };

type Edges = Pick<PipelineSpec, 'edges'>['edges'];

/** Undefined if the graph has no tree. */
export function graphTree({ stages, edges }: Pick<PipelineSpec, 'stages' | 'edges'>): GraphTree | undefined {
  return treeOf(
    inOrder(
      stages.map(({ id }) => id),
      edges,
    ),
    edges,
  );
}

/** First stages of a part: those that get its input. */
export function firstStages(tree: GraphTree): readonly StageId[] {
  if (tree.kind === 'stage') return [tree.id];
  if (tree.kind === 'parallel') return tree.parts.flatMap(firstStages);
  return tree.parts.slice(0, 1).flatMap(firstStages);
}

/** Last stages of a part: those whose answers are its output. */
export function lastStages(tree: GraphTree): readonly StageId[] {
  if (tree.kind === 'stage') return [tree.id];
  if (tree.kind === 'parallel') return tree.parts.flatMap(lastStages);
  return tree.parts.slice(-1).flatMap(lastStages);
}

/** Largest sum of the costs of stages on a path. */
export function longestPath(
  { stages, edges }: Pick<PipelineSpec, 'stages' | 'edges'>,
  costOf: (stage: StageSpec) => number,
): number {
  const costs = new Map(stages.map((stage) => [stage.id, costOf(stage)]));
  const depths = new Map<StageId, number>();
  for (const id of inOrder(
    stages.map((stage) => stage.id),
    edges,
  )) {
    const before = edges.filter(({ to }) => to === id).map(({ from }) => depths.get(from) ?? 0);
    depths.set(id, (costs.get(id) ?? 0) + Math.max(0, ...before));
  }
  return Math.max(0, ...depths.values());
}

/** Stages in topological order. */
function inOrder(ids: readonly StageId[], edges: Edges): readonly StageId[] {
  const ordered: StageId[] = [];
  let rest = ids;
  while (rest.length > 0) {
    const next = rest.filter((id) => !edges.some(({ from, to }) => to === id && rest.includes(from)));
    if (next.length === 0) return [...ordered, ...rest];
    ordered.push(...next);
    rest = rest.filter((id) => !next.includes(id));
  }
  return ordered;
}

function treeOf(ids: readonly StageId[], edges: Edges): GraphTree | undefined {
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return { kind: 'stage', id: only };
  const within = edges.filter(({ from, to }) => ids.includes(from) && ids.includes(to));
  const groups = connectedGroups(ids, within);
  if (groups.length > 1)
    return joined(
      'parallel',
      groups.map((group) => treeOf(group, within)),
    );
  for (let length = 1; length < ids.length; length++) {
    const [first, second] = [ids.slice(0, length), ids.slice(length)];
    if (!isSequence(first, second, within)) continue;
    return joined('sequence', [treeOf(first, within), treeOf(second, within)]);
  }
  return undefined;
}

/** True if every last stage of `first` leads to every first stage of `second`, and no other edge crosses. */
function isSequence(first: readonly StageId[], second: readonly StageId[], edges: Edges): boolean {
  const crossing = edges.filter(({ from, to }) => first.includes(from) && second.includes(to));
  const last = first.filter((id) => !edges.some(({ from, to }) => from === id && first.includes(to)));
  const next = second.filter((id) => !edges.some(({ from, to }) => to === id && second.includes(from)));
  const isExpected = ({ from, to }: Edges[number]): boolean => last.includes(from) && next.includes(to);
  return crossing.length === last.length * next.length && crossing.every(isExpected);
}

function connectedGroups(ids: readonly StageId[], edges: Edges): readonly (readonly StageId[])[] {
  const groupOf = new Map(ids.map((id) => [id, id]));
  for (const { from, to } of edges) {
    const [kept, merged] = [groupOf.get(from), groupOf.get(to)];
    for (const [id, group] of groupOf) if (kept !== undefined && group === merged) groupOf.set(id, kept);
  }
  return [...new Set(groupOf.values())].map((group) => ids.filter((id) => groupOf.get(id) === group));
}

function joined(kind: 'sequence' | 'parallel', parts: readonly (GraphTree | undefined)[]): GraphTree | undefined {
  const known = parts.filter((part) => part !== undefined);
  if (known.length < parts.length) return undefined;
  return { kind, parts: known.flatMap((part) => (part.kind === kind ? part.parts : [part])) };
}
