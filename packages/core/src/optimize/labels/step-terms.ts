/**
 * What the expansion of labels by the options of one node needs, worked out once per node: limits less what the nodes behind take at least,
 * prices of waiting, and the best that the rest can add.
 */

import type { CutLayout, Slot, Step } from './cut-layout.js';
import { largest, smallest } from './extremes.js';
import { type LabelProblem, type NodeOptions, tailsMs } from './label-problem.js';
import type { Multipliers } from './multipliers.js';
import type { RelaxedScore } from './relaxed-score.js';

/** A problem with the bound that guides a sweep. */
export interface BoundedProblem {
  readonly problem: LabelProblem;
  readonly layout: CutLayout;
  readonly relaxed: RelaxedScore;
  readonly multipliers: Multipliers;
}

/** The terms of one node. */
export interface StepTerms {
  readonly node: NodeOptions;
  readonly step: Step;
  /** Options by worth, best first. */
  readonly order: Int32Array;
  readonly worth: Float64Array;
  /** Most that is added behind the node, constant part included. */
  readonly worthBehind: number;
  readonly latestFinishMs: number;
  readonly amountCeilings: Float64Array;
  /** A relaxed score below this cannot reach the floor any more. */
  readonly scoreFloor: number;
  readonly scoreWeight: number;
  /** Price per ms of waiting for the start, per start slot. */
  readonly startPrices: Float64Array;
  /** Price per ms of waiting in a merged slot: per new slot, per old slot that merges there. */
  readonly mergePrices: readonly Float64Array[];
  /** The same for the node's own finish. */
  readonly ownPrice: number;
  readonly oldSlots: number;
  readonly isLast: boolean;
}

/** Sums behind each node: entry v is the sum over v + 1 … n − 1. */
function sumsBehind(n: number, of: (node: number) => number): Float64Array {
  const sums = new Float64Array(n);
  for (let v = n - 2; v >= 0; v--) sums[v] = (sums[v + 1] as number) + of(v + 1);
  return sums;
}

function pendingPrice({ problem, multipliers }: BoundedProblem, node: number, after: number): number {
  const successors = problem.graph.successors[node] ?? [];
  return successors.reduce((sum, w) => (w > after ? sum + multipliers.edgePrice(node, w) : sum), 0);
}

function priceInto({ multipliers }: BoundedProblem, slot: Slot | undefined, node: number): number {
  return (slot?.nodes ?? []).reduce((sum, u) => sum + multipliers.edgePrice(u, node), 0);
}

/** Rounding of sums of scores. */
const SCORE_ROUNDING = 1e-12;

/** The terms of every node. */
export function stepTerms(bounded: BoundedProblem): readonly StepTerms[] {
  const { problem, layout, relaxed, multipliers } = bounded;
  const { nodes, graph, amounts, goal } = problem;
  const n = nodes.length;
  const tails = tailsMs(graph, (v) => smallest(nodes[v]?.latencyMs));
  const worthBehind = sumsBehind(n, (v) => multipliers.best[v] as number);
  const scoreBehind = sumsBehind(n, (v) => (relaxed.weights[v] as number) * largest(nodes[v]?.score));
  const amountsBehind = amounts.map((_, k) => sumsBehind(n, (v) => smallest(nodes[v]?.amounts[k])));
  const floor = goal.kind === 'cost' ? goal.scoreFloor - SCORE_ROUNDING : Number.NEGATIVE_INFINITY;
  return nodes.map((node, v): StepTerms => {
    const step = layout.steps[v] as Step;
    const before = layout.steps[v - 1]?.slots ?? [];
    const worth = multipliers.reduced[v] as Float64Array;
    const pending = (slot: number): number =>
      (before[slot]?.nodes ?? []).reduce((sum, u) => sum + pendingPrice(bounded, u, v), 0);
    return {
      node,
      step,
      order: Int32Array.from(worth.keys()).sort((a, b) => (worth[b] as number) - (worth[a] as number)),
      worth,
      worthBehind: multipliers.constant + (worthBehind[v] as number),
      latestFinishMs: problem.latencyLimitMs - (tails[v] as number),
      amountCeilings: Float64Array.from(amounts, ({ limit }, k) => limit - (amountsBehind[k]?.[v] as number)),
      scoreFloor: floor - (scoreBehind[v] as number),
      scoreWeight: relaxed.weights[v] as number,
      startPrices: Float64Array.from(step.startSlots, (slot) => priceInto(bounded, before[slot], v)),
      mergePrices: step.slots.map((slot) => Float64Array.from(slot.from, pending)),
      ownPrice: pendingPrice(bounded, v, v),
      oldSlots: before.length,
      isLast: v === n - 1,
    };
  });
}
