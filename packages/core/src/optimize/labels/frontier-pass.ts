/** One pass for the Pareto front of score and cost. A label survives if it exceeds the bar of any bound. */
import type { CutLayout, Step } from './cut-layout.js';
import { collectedWorth, Expansion } from './expand-labels.js';
import { crowdOf } from './label-pass.js';
import type { LabelProblem } from './label-problem.js';
import { type LabelStore, rootLabels } from './label-store.js';
import { paretoFilter } from './pareto-filter.js';
import type { RelaxedScore } from './relaxed-score.js';
import type { StepTerms } from './step-terms.js';

/** Bound for one cost limit: terms per node, and the bar that labels must exceed. */
export interface FrontierBound {
  readonly terms: readonly StepTerms[];
  readonly bar: number;
}

/** Amount 0 of `problem` is the cost. */
export interface FrontierInput {
  readonly problem: LabelProblem;
  readonly layout: CutLayout;
  readonly relaxed: RelaxedScore;
  /** Bounds by ascending cost limit. The last one has the limits of `problem`. */
  readonly bounds: readonly FrontierBound[];
  readonly width: number;
}

/** `choices`: option positions by node. `complete`: no label was dropped because of `width`. */
export interface FrontierPass {
  readonly choices: readonly Int32Array[];
  readonly complete: boolean;
  readonly labels: number;
}

class NodeBars {
  readonly terms: readonly StepTerms[];
  readonly #before: readonly StepTerms[] | undefined;
  readonly #bars: Float64Array;
  /** Worth of option o under bound j, at o · bounds + j. */
  readonly #worth: Float64Array;
  readonly #needed: Float64Array;
  readonly #scoreSlope: Float64Array;

  constructor({ bounds }: FrontierInput, v: number) {
    this.terms = bounds.map((bound) => bound.terms[v] as StepTerms);
    this.#before = v === 0 ? undefined : bounds.map((bound) => bound.terms[v - 1] as StepTerms);
    this.#bars = Float64Array.from(bounds, ({ bar }, j) => bar - (this.terms[j] as StepTerms).worthBehind);
    this.#scoreSlope = Float64Array.from(this.terms, ({ scoreSlope }) => scoreSlope);
    const options = this.terms[0]?.node.count ?? 0;
    this.#worth = new Float64Array(options * bounds.length);
    this.#needed = new Float64Array(bounds.length);
    this.terms.forEach(({ worth }, j) => {
      for (let o = 0; o < options; o++) this.#worth[o * bounds.length + j] = worth[o] as number;
    });
  }

  promisingOptions(from: LabelStore, label: number): readonly number[] {
    const bounds = this.#bars.length;
    for (let j = 0; j < bounds; j++) {
      const terms = this.#before?.[j];
      const start = (this.#scoreSlope[j] as number) * (from.relaxedScore[label] as number);
      this.#needed[j] = (this.#bars[j] as number) - (terms === undefined ? start : collectedWorth(terms, from, label));
    }
    const options: number[] = [];
    for (let o = 0, at = 0; at < this.#worth.length; o++, at += bounds) {
      let j = 0;
      while (j < bounds && (this.#worth[at + j] as number) <= (this.#needed[j] as number)) j++;
      if (j < bounds) options.push(o);
    }
    return options;
  }

  passes(labels: LabelStore, label: number): boolean {
    return this.terms.some((terms, j) => collectedWorth(terms, labels, label) > (this.#bars[j] as number));
  }
}

/** True if branches or scenarios meet here. Only then can a label be worth less than the sum of its options. */
const mayWait = ({ startSlots, slots, classes }: Step): boolean =>
  startSlots.length > 1 ||
  classes.length > 1 ||
  slots.some(({ from, includesOwn }) => from.length + (includesOwn ? 1 : 0) > 1);

class FrontierSweep {
  readonly #input: FrontierInput;
  readonly #cuts: LabelStore[] = [];
  complete = true;
  labels = 0;

  constructor(input: FrontierInput) {
    this.#input = input;
  }

  run(): readonly Int32Array[] {
    let labels = rootLabels(this.#input);
    for (let v = 0; v < this.#input.problem.nodes.length; v++) {
      labels = this.#expandAll(v, labels);
      this.#cuts.push(labels);
    }
    return Array.from({ length: labels.count }, (_, label) => this.#choiceOf(label));
  }

  #expandAll(v: number, from: LabelStore): LabelStore {
    const { problem, width } = this.#input;
    const bars = new NodeBars(this.#input, v);
    const last = bars.terms.at(-1) as StepTerms;
    const expansion = new Expansion(last, from, problem.latencyLimitMs < Number.POSITIVE_INFINITY);
    const { next } = expansion;
    const waits = mayWait(this.#input.layout.steps[v] as Step);
    const take = (label: number): void => {
      if (!waits || bars.passes(next, label)) next.count++;
    };
    const crowd = crowdOf(width, problem);
    for (let a = 0; a < from.count; a++) {
      const before = next.count;
      expansion.expandBy(a, bars.promisingOptions(from, a), take);
      this.labels += next.count - before;
      if (next.count > crowd) next.copyFrom(this.#thin(next));
    }
    return this.#thin(next);
  }

  #thin(labels: LabelStore): LabelStore {
    const { width } = this.#input;
    const kept = paretoFilter(labels);
    if (kept.length > width) this.complete = false;
    return labels.pick(kept.subarray(0, width));
  }

  #choiceOf(label: number): Int32Array {
    const { nodes } = this.#input.problem;
    const sources = new Int32Array(nodes.length);
    let at = label;
    for (let v = nodes.length - 1; v >= 0; v--) {
      const cut = this.#cuts[v] as LabelStore;
      sources[v] = nodes[v]?.source[cut.option[at] as number] as number;
      at = cut.parent[at] as number;
    }
    return sources;
  }
}

export function frontierPass(input: FrontierInput): FrontierPass {
  const sweep = new FrontierSweep(input);
  const choices = sweep.run();
  return { choices, complete: sweep.complete, labels: sweep.labels };
}
