import type { CutLayout, Slot, Step } from './cut-layout.js';
import { type LabelProblem, type NodeOptions, tailsMs } from './label-problem.js';
import type { Multipliers } from './multipliers.js';
import { largest, type RelaxedScore, smallest } from './relaxed-score.js';

/** Terms for expanding labels at one node. Limits are reduced by the minimum use of later nodes. */

export interface BoundedProblem {
  readonly problem: LabelProblem;
  readonly layout: CutLayout;
  readonly relaxed: RelaxedScore;
  readonly multipliers: Multipliers;
}

export interface StepTerms {
  readonly node: NodeOptions;
  readonly step: Step;
  /** Options by worth, best first. */
  readonly order: Int32Array;
  readonly worth: Float64Array;
  /** Best total worth of later nodes, plus the constant of the bound. */
  readonly worthBehind: number;
  readonly latestFinishMs: number;
  readonly amountCeilings: Float64Array;
  readonly scoreFloor: number;
  readonly scoreWeight: number;
  /** Price per ms of finish time, by slot. */
  readonly slotPrices: Float64Array;
  readonly unitPrices: Float64Array;
  readonly scoreSlope: number;
  readonly oldSlots: number;
  readonly isLast: boolean;
}

/** Entry v is the sum over nodes v + 1 … n − 1. */
function sumsBehind(n: number, of: (node: number) => number): Float64Array {
  const sums = new Float64Array(n);
  for (let v = n - 2; v >= 0; v--) sums[v] = (sums[v + 1] as number) + of(v + 1);
  return sums;
}

function slotPrice({ problem, multipliers }: BoundedProblem, { nodes }: Slot, after: number): number {
  let price = 0;
  for (const u of nodes)
    for (const w of problem.graph.successors[u] ?? []) if (w > after) price += multipliers.edgePrice(u, w);
  return price;
}

const SCORE_ROUNDING = 1e-12;

export function stepTerms(bounded: BoundedProblem): readonly StepTerms[] {
  const { problem, layout, relaxed, multipliers } = bounded;
  const { nodes, graph, amounts, goal } = problem;
  const n = nodes.length;
  const tails = tailsMs(graph, (v) => smallest(nodes[v]?.latencyMs));
  const worthBehind = sumsBehind(n, (v) => multipliers.best[v] as number);
  const scoreBehind = sumsBehind(n, (v) => (relaxed.weights[v] as number) * largest(nodes[v]?.score));
  const amountsBehind = amounts.map((_, k) => sumsBehind(n, (v) => smallest(nodes[v]?.amounts[k])));
  const floor = goal.kind === 'cost' ? goal.scoreFloor - SCORE_ROUNDING : Number.NEGATIVE_INFINITY;
  const constant = multipliers.constant - multipliers.scoreSlope * relaxed.constant;
  return nodes.map((node, v): StepTerms => {
    const step = layout.steps[v] as Step;
    const worth = multipliers.reduced[v] as Float64Array;
    return {
      node,
      step,
      order: Int32Array.from(worth.keys()).sort((a, b) => (worth[b] as number) - (worth[a] as number)),
      worth,
      worthBehind: constant + (worthBehind[v] as number),
      latestFinishMs: problem.latencyLimitMs - (tails[v] as number),
      amountCeilings: Float64Array.from(amounts, ({ limit }, k) => limit - (amountsBehind[k]?.[v] as number)),
      scoreFloor: floor - (scoreBehind[v] as number),
      scoreWeight: relaxed.weights[v] as number,
      slotPrices: Float64Array.from(step.slots, (slot) => slotPrice(bounded, slot, v)),
      unitPrices: multipliers.unitPrices,
      scoreSlope: multipliers.scoreSlope,
      oldSlots: layout.steps[v - 1]?.slots.length ?? 0,
      isLast: v === n - 1,
    };
  });
}
