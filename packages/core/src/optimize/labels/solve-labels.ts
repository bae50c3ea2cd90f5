/**
 * Exact solution of a label problem: prices by subgradient steps, then sweeps of growing width, each of which improves the best choice known
 * and with it the bar that options and labels have to pass. A sweep that drops nothing for want of width, or nothing that could have been
 * better, proves its answer; the last one is as wide as the label limit allows and says what it could not prove.
 */
import { cutLayout } from './cut-layout.js';
import { labelPass, VALUE_TIE } from './label-pass.js';
import { finishMs, type LabelProblem, withOptions } from './label-problem.js';
import { ascend, type Incumbent, type Multipliers } from './multipliers.js';
import { relaxedScore } from './relaxed-score.js';

/** Best choice (option index per node) with its value, and an upper bound on every other. */
export interface LabelSolution {
  readonly incumbent?: Incumbent;
  readonly optimal: boolean;
  /** No choice is worth more. */
  readonly upperBound: number;
  readonly labels: number;
}

const FIRST_STEPS = 120;
const FURTHER_STEPS = 40;
const WIDTHS = [24, 240];

const none = (labels: number): LabelSolution => ({ optimal: true, upperBound: Number.NEGATIVE_INFINITY, labels });

/** Options whose bound passes the bar, per node. */
function promising(problem: LabelProblem, { bound, reduced, best }: Multipliers, bar: number): readonly Int32Array[] {
  return problem.nodes.map((node, v) => {
    const needed = bar - bound + (best[v] as number);
    const kept: number[] = [];
    for (let o = 0; o < node.count; o++) if ((reduced[v]?.[o] as number) > needed) kept.push(o);
    return Int32Array.from(kept);
  });
}

function barOf(incumbent: Incumbent | undefined): number {
  return incumbent === undefined
    ? Number.NEGATIVE_INFINITY
    : incumbent.value + VALUE_TIE * Math.max(1, Math.abs(incumbent.value));
}

/** Choice in terms of the options before `withOptions`. */
function translated(incumbent: Incumbent, kept: readonly Int32Array[]): Incumbent {
  return { ...incumbent, choice: incumbent.choice.map((o, v) => kept[v]?.[o] as number) };
}

const extreme = (values: Float64Array | undefined, of: (a: number, b: number) => number): number =>
  (values as Float64Array).reduce((a, b) => of(a, b));

/** Whether some limit is missed even by the best options for it. */
function plainlyImpossible({ nodes, graph, amounts, latencyLimitMs }: LabelProblem): boolean {
  if (nodes.some((node) => node.count === 0)) return true;
  const leastMs = nodes.map((node) => extreme(node.latencyMs, Math.min));
  if (finishMs(graph, (v) => leastMs[v] as number) > latencyLimitMs) return true;
  const leastUse = amounts.map((_, k) => nodes.reduce((sum, node) => sum + extreme(node.amounts[k], Math.min), 0));
  return amounts.some(({ limit }, k) => (leastUse[k] as number) > limit);
}

/** Solves `problem`; `known` is a choice already at hand. */
export function solveLabels(problem: LabelProblem, known?: Incumbent): LabelSolution {
  if (plainlyImpossible(problem)) return none(0);
  const layout = cutLayout(problem);
  let ascent = ascend(problem, relaxedScore(problem), {
    iterations: FIRST_STEPS,
    ...(known === undefined ? {} : { incumbent: known }),
  });
  let incumbent = ascent.incumbent;
  if (ascent.impossible) return none(0);
  let labels = 0;
  for (const width of [...WIDTHS, problem.labelLimit]) {
    const kept = promising(problem, ascent.multipliers, barOf(incumbent));
    if (kept.some((options) => options.length === 0)) break;
    const reduced = withOptions(problem, kept);
    const relaxed = relaxedScore(reduced);
    const again = ascend(reduced, relaxed, { iterations: FURTHER_STEPS, prices: ascent.prices, ...bare(incumbent) });
    if (again.incumbent !== incumbent) incumbent = translated(again.incumbent as Incumbent, kept);
    const { multipliers } = again;
    const pass = labelPass({ problem: reduced, layout, relaxed, multipliers, width, ...bare(incumbent) });
    labels += pass.labels;
    if (pass.incumbent !== incumbent) incumbent = translated(pass.incumbent as Incumbent, kept);
    if (pass.droppedBound <= barOf(incumbent)) break;
    if (width === problem.labelLimit) {
      const upperBound = Math.max(pass.droppedBound, incumbent?.value ?? pass.droppedBound);
      return { ...(incumbent === undefined ? {} : { incumbent }), optimal: false, upperBound, labels };
    }
    ascent = ascend(problem, relaxedScore(problem), {
      iterations: FURTHER_STEPS,
      prices: ascent.prices,
      ...bare(incumbent),
    });
  }
  if (incumbent === undefined) return none(labels);
  return { incumbent, optimal: true, upperBound: incumbent.value, labels };
}

function bare(incumbent: Incumbent | undefined): { readonly incumbent?: Incumbent } {
  return incumbent === undefined ? {} : { incumbent };
}
