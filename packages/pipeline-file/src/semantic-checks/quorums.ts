/**
 * Quorums of a join: ascending, and equal on all edges into a stage. A list is a choice of plans. It needs several edges
 * and, in front of a combine stage, a member whose plan carries the quorum.
 */
import { type QuorumChoice, quorumChoices, type StageId } from '@equipoise/core/model';
import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

type Graph = Pick<SpecDraft, 'stages' | 'edges'>;
type EdgeDraft = NonNullable<NonNullable<SpecDraft['edges']>[number]>;
export type JoinDraft = EdgeDraft['join'];

/** Well-formed quorums of a join; empty for other joins. */
export function quorumList(join: JoinDraft): readonly number[] {
  return typeof join === 'object' ? [join.quorum].flat().filter((value) => value !== undefined) : [];
}

/** True if a quorum of the edge is malformed. */
export function hasMalformedQuorum(edge: Pick<EdgeDraft, 'join'>): boolean {
  const { join } = edge;
  if (typeof join !== 'object') return isMalformed(edge, 'join');
  return isMalformed(join, 'quorum') || [join.quorum].flat().includes(undefined);
}

/** Joins whose quorum a plan chooses. */
export function draftQuorums({ stages, edges }: Graph): readonly QuorumChoice[] {
  return quorumChoices({
    stages: [...wellFormedEntries(stages)].flatMap(([, stage]) =>
      stage.name === undefined || Object.hasOwn(stage, 'combine')
        ? []
        : [{ id: stage.name as StageId, ...(stage.optional === true && { optional: true as const }) }],
    ),
    edges: [...wellFormedEntries(edges)].flatMap(([, { from, to, join }]) => {
      const quorums = quorumList(join);
      const [quorum] = quorums;
      if (from === undefined || to === undefined) return [];
      const ends = { from: from as StageId, to: to as StageId };
      return [quorum === undefined ? ends : { ...ends, join: { quorum, quorums } }];
    }),
  });
}

export function checkQuorums(spec: SpecDraft): Finding[] {
  const carried = draftQuorums(spec);
  const lists = [...wellFormedEntries(spec.edges)].flatMap(([index, edge]): Finding[] => {
    const all = quorumList(edge.join);
    if (all.length < 2) return [];
    const path = ['spec', 'edges', index, 'join', 'quorum'];
    return [...checkList(all, path), ...checkPlace(spec, edge, { path, carried })];
  });
  return [...lists, ...checkPins(spec, carried)];
}

function* checkList(all: readonly number[], path: ValuePath): Generator<Finding> {
  const wrong = all.findIndex((value, position) => position > 0 && value <= (all[position - 1] as number));
  if (wrong > 0)
    yield {
      path: [...path, wrong],
      message: `expected ascending quorums without duplicates, found ${all[wrong]} after ${all[wrong - 1]}`,
    };
}

/** The first edge of a join reports a missing carrier. */
function* checkPlace(
  { edges }: SpecDraft,
  edge: EdgeDraft,
  { path, carried }: { readonly path: ValuePath; readonly carried: readonly QuorumChoice[] },
): Generator<Finding> {
  const inEdges = [...wellFormedEntries(edges)].map(([, each]) => each).filter(({ to }) => to === edge.to);
  if (inEdges.length === 1)
    yield {
      path,
      message: `expected one quorum, found ${quorumList(edge.join).join(', ')}: a plan chooses the quorum of a join of several edges, not of items`,
    };
  else if (inEdges[0] === edge && !carried.some(({ join }) => join === edge.to))
    yield {
      path,
      message: `expected one quorum, or an edge into "${edge.to}" from a stage that is not optional and belongs to no other choice of quorums: the plan of this stage carries the quorum`,
    };
}

function* checkPins({ stages }: SpecDraft, carried: readonly QuorumChoice[]): Generator<Finding> {
  for (const [index, { name, pins }] of wellFormedEntries(stages)) {
    const pinned = pins?.quorum;
    if (pinned === undefined) continue;
    const choice = carried.find(({ carrier }) => carrier === name);
    if (choice?.quorums.includes(pinned)) continue;
    const expected =
      choice === undefined
        ? 'no pin, because the stage carries no choice of quorums'
        : `one of the quorums ${choice.quorums.join(', ')}`;
    yield { path: ['spec', 'stages', index, 'pins', 'quorum'], message: `expected ${expected}, found ${pinned}` };
  }
}
