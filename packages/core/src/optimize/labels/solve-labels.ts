/**
 * Exact solution of a label problem. Subgradient steps set prices. Passes of growing width then find better choices. A
 * choice is optimal if no label dropped because of `width` could beat it. The label limit caps the last width; then a
 * gap may remain.
 */

import { cutLayout } from './cut-layout.js';
import { barAbove, barBelow, labelPass, type PassResult } from './label-pass.js';
import { finishMs, type LabelProblem, sourcesOf, withOptions } from './label-problem.js';
import { ascend, type Incumbent, type Multipliers } from './multipliers.js';
import type { Prices } from './pricing.js';
import { type RelaxedScore, relaxedScore, smallest } from './relaxed-score.js';

/** Best choice (original option positions), and an upper bound on all choices. */
export interface LabelSolution {
  readonly incumbent?: Incumbent;
  readonly optimal: boolean;
  readonly upperBound: number;
  /** Per node, all options whose bound reaches the incumbent. */
  readonly candidates: readonly Int32Array[];
  readonly prices?: Prices;
  readonly labels: number;
}

const FIRST_STEPS = 120;
const FURTHER_STEPS = 40;
const WIDTHS = [24, 240];

function isPlainlyInfeasible({ nodes, graph, amounts, latencyLimitMs }: LabelProblem): boolean {
  if (nodes.some((node) => node.count === 0)) return true;
  const leastMs = nodes.map((node) => smallest(node.latencyMs));
  if (finishMs(graph, (v) => leastMs[v] as number) > latencyLimitMs) return true;
  const leastUse = amounts.map((_, k) => nodes.reduce((sum, node) => sum + smallest(node.amounts[k]), 0));
  return amounts.some(({ limit }, k) => (leastUse[k] as number) > limit);
}

function promisingOptions(
  problem: LabelProblem,
  { bound, reduced, best }: Multipliers,
  bar: number,
): readonly Int32Array[] {
  return problem.nodes.map((node, v) => {
    const needed = bar - bound + (best[v] as number);
    const kept: number[] = [];
    for (let o = 0; o < node.count; o++) if ((reduced[v]?.[o] as number) > needed) kept.push(o);
    return Int32Array.from(kept);
  });
}

class Search {
  readonly #layout: ReturnType<typeof cutLayout>;
  readonly #labelLimit: number;
  #problem: LabelProblem;
  #relaxed: RelaxedScore;
  #best: Incumbent | undefined;
  #multipliers: Multipliers | undefined;
  readonly #whole: LabelProblem;
  #firstMultipliers: Multipliers | undefined;
  #labels = 0;
  infeasible = false;

  constructor(problem: LabelProblem) {
    this.#problem = problem;
    this.#whole = problem;
    this.#layout = cutLayout(problem);
    this.#relaxed = relaxedScore(problem);
    this.#labelLimit = problem.labelLimit;
  }

  run(start: Prices | undefined): LabelSolution {
    this.#improvePrices(start === undefined ? FIRST_STEPS : FURTHER_STEPS, start);
    if (this.infeasible) return this.#proven();
    let droppedBound = Number.POSITIVE_INFINITY;
    for (const width of [...WIDTHS, this.#widest()]) {
      if (!this.#keepPromising()) return this.#proven();
      this.#improvePrices(FURTHER_STEPS);
      if (!this.#keepPromising()) return this.#proven();
      const pass = this.#sweep(width);
      if (pass.droppedBound <= this.#bar()) return this.#proven();
      droppedBound = Math.min(droppedBound, pass.droppedBound);
    }
    return this.#unproven(droppedBound);
  }

  #widest(): number {
    return Math.max(1, Math.floor(this.#labelLimit / this.#problem.nodes.length));
  }

  #bar(): number {
    return barAbove(this.#best?.value);
  }

  #improvePrices(iterations: number, start?: Prices): void {
    const prices = this.#multipliers?.prices ?? start;
    this.#relaxed = relaxedScore(this.#problem);
    const result = ascend(this.#problem, this.#relaxed, {
      iterations,
      known: this.#best?.value,
      prices,
    });
    this.#multipliers = result.multipliers;
    this.#firstMultipliers ??= result.multipliers;
    this.infeasible ||= result.infeasible;
    this.#take(result.incumbent);
  }

  /** Drops options that cannot win. Returns false if a node has none left. */
  #keepPromising(): boolean {
    if (this.#best === undefined) return true;
    const kept = promisingOptions(this.#problem, this.#multipliers as Multipliers, this.#bar());
    if (kept.some((options) => options.length === 0)) return false;
    const multipliers = this.#multipliers as Multipliers;
    this.#multipliers = {
      ...multipliers,
      reduced: multipliers.reduced.map((worth, v) =>
        Float64Array.from(kept[v] as Int32Array, (o) => worth[o] as number),
      ),
    };
    this.#problem = withOptions(this.#problem, kept);
    return true;
  }

  #sweep(width: number): PassResult {
    const pass = labelPass({
      problem: this.#problem,
      layout: this.#layout,
      relaxed: this.#relaxed,
      multipliers: this.#multipliers as Multipliers,
      width,
      bar: this.#bar(),
    });
    this.#labels += pass.labels;
    this.#take(pass.incumbent);
    return pass;
  }

  #take(found: Incumbent | undefined): void {
    if (found === undefined) return;
    this.#best = { value: found.value, choice: sourcesOf(this.#problem, found.choice) };
  }

  #proven(): LabelSolution {
    return this.#solution({ optimal: true, upperBound: this.#best?.value ?? Number.NEGATIVE_INFINITY });
  }

  #unproven(droppedBound: number): LabelSolution {
    return this.#solution({ optimal: false, upperBound: Math.max(droppedBound, this.#best?.value ?? droppedBound) });
  }

  #solution(proof: { readonly optimal: boolean; readonly upperBound: number }): LabelSolution {
    const labels = this.#labels;
    if (this.#best === undefined) return { ...proof, candidates: [], labels };
    const level = barBelow(this.#best.value);
    const kept = promisingOptions(this.#whole, this.#firstMultipliers as Multipliers, level);
    const candidates = kept.map((options, v) => options.map((o) => this.#whole.nodes[v]?.source[o] as number));
    const { prices } = this.#multipliers as Multipliers;
    return { ...proof, incumbent: this.#best, candidates, prices, labels };
  }
}

export function solveLabels(problem: LabelProblem, prices?: Prices): LabelSolution {
  if (isPlainlyInfeasible(problem))
    return { optimal: true, upperBound: Number.NEGATIVE_INFINITY, candidates: [], labels: 0 };
  return new Search(problem).run(prices);
}
