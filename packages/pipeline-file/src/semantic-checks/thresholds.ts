/**
 * Thresholds of conditions are ascending, equal on all edges of a stage, and used by their condition. A list is a choice
 * of plans, so it needs a stage with variants.
 */
import { compileCondition } from '../condition/compile-condition.js';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

type Edges = SpecDraft['edges'];
type BranchDraft = NonNullable<NonNullable<NonNullable<Edges>[number]>['when']>;
type ThresholdDraft = BranchDraft['threshold'];

/** Well-formed thresholds of an edge. */
export function thresholdList(threshold: ThresholdDraft): readonly number[] {
  return [threshold].flat().filter((value) => value !== undefined);
}

/** Thresholds from which a plan chooses at a stage; empty without a choice. */
export function choicesOfStage(edges: Edges, stage: string | undefined): readonly number[] {
  for (const [, { from, when }] of wellFormedEntries(edges)) {
    const all = thresholdList(when?.threshold);
    if (from === stage && all.length > 0) return all.length > 1 ? all : [];
  }
  return [];
}

export function checkThresholds(spec: SpecDraft): Finding[] {
  const firstAt = new Map<string | undefined, number>();
  const ofEdges = [...wellFormedEntries(spec.edges)].flatMap(([index, { from, when }]): Finding[] => {
    if (when === undefined) return [];
    const path = ['spec', 'edges', index, 'when'];
    const all = thresholdList(when.threshold);
    const findings = [...checkShares(when, all, path)];
    if (all.length === 0) return findings;
    const first = firstAt.get(from) ?? index;
    firstAt.set(from, first);
    const firstList = thresholdList(spec.edges?.[first]?.when?.threshold);
    return [
      ...findings,
      ...checkList(when, all, path),
      ...checkSame(all, { first, firstList, from, path }),
      ...checkStage(spec, all, { from, path }),
    ];
  });
  return [...ofEdges, ...checkPins(spec)];
}

function* checkList({ condition }: BranchDraft, all: readonly number[], path: ValuePath): Generator<Finding> {
  const wrong = all.findIndex((value, position) => position > 0 && value <= (all[position - 1] as number));
  if (wrong > 0)
    yield {
      path: [...path, 'threshold', wrong],
      message: `expected ascending thresholds without duplicates, found ${all[wrong]} after ${all[wrong - 1]}`,
    };
  if (condition !== undefined && compileCondition(condition).kind === 'valid')
    yield {
      path: [...path, 'threshold'],
      message: 'expected a condition that uses `threshold`, such as "output.confidence < threshold"',
    };
}

interface OtherEdge {
  readonly first: number;
  readonly firstList: readonly number[];
  readonly from: string | undefined;
  readonly path: ValuePath;
}

function* checkSame(all: readonly number[], { first, firstList, from, path }: OtherEdge): Generator<Finding> {
  if (from === undefined || firstList.join() === all.join()) return;
  const message = `expected the thresholds ${firstList.join(', ')} as on edge ${first}, because a plan chooses one for all edges of "${from}", found ${all.join(', ')}`;
  yield { path: [...path, 'threshold'], message };
}

function* checkStage(
  { stages }: SpecDraft,
  all: readonly number[],
  { from, path }: { readonly from: string | undefined; readonly path: ValuePath },
): Generator<Finding> {
  const isCombine = stages?.some((stage) => stage?.name === from && Object.hasOwn(stage ?? {}, 'combine'));
  if (isCombine && all.length > 1)
    yield {
      path: [...path, 'threshold'],
      message: `expected one threshold, because a plan chooses nothing at the combine stage "${from}"`,
    };
}

/** A list of shares has one entry per threshold. */
function* checkShares({ probability }: BranchDraft, all: readonly number[], path: ValuePath): Generator<Finding> {
  const lists: readonly (readonly [ValuePath, unknown])[] =
    typeof probability === 'object' && !Array.isArray(probability)
      ? Object.entries(probability).map(([variant, own]) => [['probability', variant], own] as const)
      : [[['probability'], probability]];
  for (const [at, own] of lists)
    if (Array.isArray(own) && own.length !== Math.max(1, all.length))
      yield {
        path: [...path, ...at],
        message: `expected ${all.length === 0 ? 'one number, because the edge has no thresholds' : `one number, or one for each of the ${all.length} thresholds`}, found ${own.length}`,
      };
}

function* checkPins({ stages, edges }: SpecDraft): Generator<Finding> {
  for (const [index, { name, pins }] of wellFormedEntries(stages)) {
    const pinned = pins?.threshold;
    const all = choicesOfStage(edges, name);
    if (pinned === undefined || all.includes(pinned)) continue;
    const expected =
      all.length === 0
        ? 'no pin, because the stage has no choice of thresholds'
        : `one of the thresholds ${all.join(', ')}`;
    yield { path: ['spec', 'stages', index, 'pins', 'threshold'], message: `expected ${expected}, found ${pinned}` };
  }
}
