/**
 * One sweep of labels over the nodes. A label is a half-made choice: its coordinates at the present cut (see cut-layout), the node options it
 * took, and a bound on what any completion can be worth. Labels whose bound does not exceed the best value known are dropped, then those
 * that another dominates, then, where more than `width` are left, the ones of lowest bound; the highest bound dropped for want of width is
 * what remains unproven.
 */
import type { CutLayout, Step } from './cut-layout.js';
import { goalValue, type LabelProblem, tailsMs } from './label-problem.js';
import type { Incumbent, Multipliers } from './multipliers.js';
import { paretoFilter } from './pareto-filter.js';
import type { RelaxedScore } from './relaxed-score.js';
import { sortByKey } from './sort-by-key.js';

/** Values closer than this count as equal. */
export const VALUE_TIE = 1e-12;

/** What a sweep found. */
export interface PassResult {
  readonly incumbent?: Incumbent;
  /** Highest bound of the labels dropped for want of width; −Infinity when none was. */
  readonly droppedBound: number;
  readonly labels: number;
}

/** Everything a sweep needs. */
export interface PassSetup {
  readonly problem: LabelProblem;
  readonly layout: CutLayout;
  readonly relaxed: RelaxedScore;
  readonly multipliers: Multipliers;
  readonly incumbent?: Incumbent;
  readonly width: number;
}

/** Labels of one cut; coordinates are slots, amounts, then minus the score of each class. */
class Labels {
  readonly dims: number;
  coordinates: Float64Array;
  /** Bound without the rest: what was collected at the present prices. */
  collected: Float64Array;
  /** Relaxed score so far. */
  relaxedScore: Float64Array;
  parent: Int32Array;
  option: Int32Array;
  count = 0;

  constructor(dims: number, room: number) {
    this.dims = dims;
    this.coordinates = new Float64Array(dims * room);
    this.collected = new Float64Array(room);
    this.relaxedScore = new Float64Array(room);
    this.parent = new Int32Array(room);
    this.option = new Int32Array(room);
  }

  get room(): number {
    return this.parent.length;
  }

  grow(): void {
    const room = this.room * 2;
    const larger = new Labels(this.dims, room);
    larger.coordinates.set(this.coordinates);
    larger.collected.set(this.collected);
    larger.relaxedScore.set(this.relaxedScore);
    larger.parent.set(this.parent);
    larger.option.set(this.option);
    this.coordinates = larger.coordinates;
    this.collected = larger.collected;
    this.relaxedScore = larger.relaxedScore;
    this.parent = larger.parent;
    this.option = larger.option;
  }

  /** Only the given labels, in the given order. */
  picked(indices: Uint32Array): Labels {
    const { dims } = this;
    const out = new Labels(dims, Math.max(1, indices.length));
    out.count = indices.length;
    for (let i = 0; i < indices.length; i++) {
      const from = indices[i] as number;
      for (let d = 0; d < dims; d++) out.coordinates[i * dims + d] = this.coordinates[from * dims + d] as number;
      out.collected[i] = this.collected[from] as number;
      out.relaxedScore[i] = this.relaxedScore[from] as number;
      out.parent[i] = this.parent[from] as number;
      out.option[i] = this.option[from] as number;
    }
    return out;
  }

  /** Indices by `collected`, highest first. */
  byWorth(): Uint32Array {
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.count; i++) highest = Math.max(highest, this.collected[i] as number);
    const distance = this.collected.subarray(0, this.count).map((c) => highest - c);
    return sortByKey(distance, this.count, { stride: 1, offset: 0 });
  }
}

/** Per node: least and largest contributions of the nodes behind it. */
interface Rest {
  /** Longest path (ms) from the node's finish to an output, by the fastest options; −Infinity where none has to follow. */
  readonly tailMs: Float64Array;
  /** Sum behind the node of the best worth at the present prices. */
  readonly worth: Float64Array;
  readonly score: Float64Array;
  readonly amounts: readonly Float64Array[];
}

const least = (values: Float64Array): number => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const largest = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

/** Sums behind each node: entry v is the sum over v + 1 … n − 1. */
function sumsBehind(n: number, of: (node: number) => number): Float64Array {
  const sums = new Float64Array(n);
  for (let v = n - 2; v >= 0; v--) sums[v] = (sums[v + 1] as number) + of(v + 1);
  return sums;
}

function restOf({ problem, multipliers, relaxed }: PassSetup): Rest {
  const { nodes, graph } = problem;
  const n = nodes.length;
  const tailMs = tailsMs(graph, (v) => least(nodes[v]?.latencyMs as Float64Array));
  return {
    tailMs,
    worth: sumsBehind(n, (v) => multipliers.best[v] as number),
    score: sumsBehind(n, (v) => (relaxed.weights[v] as number) * largest(nodes[v]?.score as Float64Array)),
    amounts: problem.amounts.map((_, k) => sumsBehind(n, (v) => least(nodes[v]?.amounts[k] as Float64Array))),
  };
}

const ascending = (a: number, b: number): number => a - b;

class Sweep {
  readonly #setup: PassSetup;
  readonly #rest: Rest;
  readonly #cuts: Labels[] = [];
  readonly #mostCandidates: number;
  incumbent: Incumbent | undefined;
  droppedBound = Number.NEGATIVE_INFINITY;
  labels = 0;

  constructor(setup: PassSetup) {
    this.#setup = setup;
    this.#rest = restOf(setup);
    this.incumbent = setup.incumbent;
    this.#mostCandidates = Math.max(4096, 8 * setup.width);
  }

  run(): void {
    const { problem, layout } = this.#setup;
    let labels = this.#root();
    for (let v = 0; v < problem.nodes.length && labels.count > 0; v++) {
      const step = layout.steps[v] as Step;
      const next = this.#expand(v, step, labels);
      labels = this.#reduced(v, next);
      this.#cuts.push(labels);
    }
  }

  /** Least bound worth keeping. */
  #bar(): number {
    if (this.incumbent === undefined) return Number.NEGATIVE_INFINITY;
    return this.incumbent.value + VALUE_TIE * Math.max(1, Math.abs(this.incumbent.value));
  }

  #root(): Labels {
    const { problem, layout, relaxed } = this.#setup;
    const amounts = problem.amounts.length;
    const root = new Labels(amounts + layout.firstClasses.length, 1);
    root.count = 1;
    layout.firstClasses.forEach((probability, c) => {
      root.coordinates[amounts + c] = -Math.log(probability);
    });
    root.relaxedScore[0] = relaxed.constant;
    return root;
  }

  #expand(v: number, step: Step, from: Labels): Labels {
    const { problem, multipliers, relaxed, layout } = this.#setup;
    const { latencyLimitMs, goal } = problem;
    const node = problem.nodes[v] as LabelProblem['nodes'][number];
    const n = problem.nodes.length;
    const last = v === n - 1;
    const amountCount = problem.amounts.length;
    const oldSlots = v === 0 ? 0 : (layout.steps[v - 1] as Step).slots.length;
    const oldDims = from.dims;
    const newSlots = step.slots.length;
    const newDims = newSlots + amountCount + step.classes.length;
    const next = new Labels(newDims, 1024);
    const timed = latencyLimitMs < Number.POSITIVE_INFINITY;
    const reduced = multipliers.reduced[v] as Float64Array;
    const order = Array.from(reduced.keys()).sort((a, b) => (reduced[b] as number) - (reduced[a] as number));
    const behind = multipliers.constant + (this.#rest.worth[v] as number);
    const latestFinish = latencyLimitMs - (this.#rest.tailMs[v] as number);
    const ceilings = problem.amounts.map(({ limit }, k) => limit - (this.#rest.amounts[k]?.[v] as number));
    const scoreWeight = relaxed.weights[v] as number;
    const floor =
      goal.kind === 'cost' ? goal.scoreFloor - (this.#rest.score[v] as number) - VALUE_TIE : Number.NEGATIVE_INFINITY;
    const oldClasses = oldDims - oldSlots - amountCount;
    const collapses = oldClasses > 1 && step.classes.length === 1;
    const startPrices = step.startSlots.map((s) => this.#priceInto(v, s));
    const mergePrices = step.slots.map((slot) => slot.from.map((s) => this.#priceBehind(v, s)));
    const ownPrice = this.#ownPrice(v);
    const ready = new Float64Array(newSlots);
    let bar = this.#bar();

    for (let a = 0; a < from.count; a++) {
      const base = a * oldDims;
      const old = from.coordinates;
      let worth = from.collected[a] as number;
      let startMs = 0;
      if (timed) {
        if (step.awaited === step.startSlots.length)
          for (const s of step.startSlots) startMs = Math.max(startMs, old[base + s] as number);
        else startMs = step.startSlots.map((s) => old[base + s] as number).sort(ascending)[step.awaited - 1] as number;
        for (let i = 0; i < step.startSlots.length; i++)
          worth -=
            (startPrices[i] as number) * Math.max(0, startMs - (old[base + (step.startSlots[i] as number)] as number));
        for (let s = 0; s < newSlots; s++)
          ready[s] = latestOf(old, base, (step.slots[s] as Step['slots'][number]).from);
      }
      for (const o of order) {
        const bound = worth + (reduced[o] as number) + behind;
        if (bound <= bar) break;
        const finishMs = timed ? startMs + (node.latencyMs[o] as number) : 0;
        if (timed && finishMs > latestFinish) continue;
        let fits = true;
        for (let k = 0; k < amountCount && fits; k++)
          fits = (old[base + oldSlots + k] as number) + (node.amounts[k]?.[o] as number) <= (ceilings[k] as number);
        if (!fits) continue;
        const relaxedScore = (from.relaxedScore[a] as number) + scoreWeight * (node.score[o] as number);
        if (relaxedScore < floor) continue;
        if (next.count === next.room) next.grow();
        const to = next.count * newDims;
        let collected = worth + (reduced[o] as number);
        for (let s = 0; s < newSlots; s++) {
          const slot = step.slots[s] as Step['slots'][number];
          const at = slot.includesOwn ? Math.max(finishMs, ready[s] as number) : (ready[s] as number);
          next.coordinates[to + s] = at;
          if (slot.from.length + (slot.includesOwn ? 1 : 0) === 1) continue;
          if (slot.includesOwn) collected -= ownPrice * (at - finishMs);
          for (let i = 0; i < slot.from.length; i++)
            collected -= (mergePrices[s]?.[i] as number) * (at - (old[base + (slot.from[i] as number)] as number));
        }
        for (let k = 0; k < amountCount; k++)
          next.coordinates[to + newSlots + k] = (old[base + oldSlots + k] as number) + (node.amounts[k]?.[o] as number);
        const classAt = base + oldSlots + amountCount;
        for (let c = 0; c < step.classes.length; c++)
          next.coordinates[to + newSlots + amountCount + c] = lossOf(step, c, old, classAt, node.score[o] as number);
        let scoreNow = relaxedScore;
        if (collapses) {
          scoreNow = -(next.coordinates[to + newSlots + amountCount] as number);
          collected -= multipliers.scoreSlope * (relaxedScore - scoreNow);
          if (scoreNow < floor) continue;
        }
        if (collected + behind <= bar) continue;
        next.collected[next.count] = collected;
        next.relaxedScore[next.count] = scoreNow;
        next.parent[next.count] = a;
        next.option[next.count] = o;
        if (last) {
          this.#complete(v, next, to);
          bar = this.#bar();
          continue;
        }
        next.count++;
        this.labels++;
      }
      if (next.count > this.#mostCandidates) this.#shrink(v, next);
    }
    return next;
  }

  /** Price per ms on the edges from a slot of the cut before into node v. */
  #priceInto(v: number, slot: number): number {
    const nodes = this.#slotBefore(v, slot);
    const { multipliers, problem } = this.#setup;
    return nodes.reduce(
      (sum, u) => (problem.graph.successors[u]?.includes(v) ? sum + multipliers.edgePrice(u, v) : sum),
      0,
    );
  }

  /** Price per ms on the edges from a slot of the cut before to nodes behind v. */
  #priceBehind(v: number, slot: number): number {
    return this.#slotBefore(v, slot).reduce((sum, u) => sum + this.#pendingPrice(u, v), 0);
  }

  #ownPrice(v: number): number {
    return this.#pendingPrice(v, v);
  }

  #pendingPrice(u: number, after: number): number {
    const { multipliers, problem } = this.#setup;
    const pending = (problem.graph.successors[u] ?? []).filter((w) => w > after);
    return pending.reduce((sum, w) => sum + multipliers.edgePrice(u, w), 0);
  }

  #slotBefore(v: number, slot: number): readonly number[] {
    return this.#setup.layout.steps[v - 1]?.slots[slot]?.nodes ?? [];
  }

  /** A label at the last node: a whole choice. */
  #complete(v: number, labels: Labels, to: number): void {
    const { problem } = this.#setup;
    const amountCount = problem.amounts.length;
    const y = -(labels.coordinates[to + amountCount] as number);
    const { goal, cost } = problem;
    if (goal.kind === 'cost' && y < goal.scoreFloor) return;
    const total = cost === undefined ? 0 : cost.perUnit * (labels.coordinates[to + cost.amount] as number);
    const value = goalValue(goal, y, total);
    if (value <= this.#bar()) return;
    const choice = this.#choiceOf(v, labels, labels.count);
    if (problem.accepts !== undefined && !problem.accepts(choice)) return;
    this.incumbent = { value, choice };
  }

  #choiceOf(v: number, labels: Labels, index: number): Int32Array {
    const choice = new Int32Array(v + 1);
    let at = index;
    let cut: Labels = labels;
    for (let node = v; node >= 0; node--) {
      choice[node] = cut.option[at] as number;
      at = cut.parent[at] as number;
      cut = this.#cuts[node - 1] as Labels;
    }
    return choice;
  }

  #shrink(v: number, labels: Labels): void {
    const kept = this.#reduced(v, labels);
    labels.coordinates.set(kept.coordinates);
    labels.collected.set(kept.collected);
    labels.relaxedScore.set(kept.relaxedScore);
    labels.parent.set(kept.parent);
    labels.option.set(kept.option);
    labels.count = kept.count;
  }

  /** Without the dominated, and at most `width`. */
  #reduced(v: number, labels: Labels): Labels {
    const { width, multipliers } = this.#setup;
    const kept = labels.picked(paretoFilter(labels, () => labels.byWorth()));
    if (kept.count <= width) return kept;
    const order = kept.byWorth();
    const first = kept.collected[order[width] as number] as number;
    this.droppedBound = Math.max(this.droppedBound, first + multipliers.constant + (this.#rest.worth[v] as number));
    return kept.picked(order.subarray(0, width));
  }
}

function latestOf(times: Float64Array, base: number, slots: readonly number[]): number {
  let latest = 0;
  for (const s of slots) latest = Math.max(latest, times[base + s] as number);
  return latest;
}

/** Minus the score of a class after the node. */
function lossOf(step: Step, c: number, old: Float64Array, classAt: number, score: number): number {
  const { from } = step.classes[c] as Step['classes'][number];
  const only = from[0] as { index: number; visitsNode: boolean };
  if (from.length === 1) return (old[classAt + only.index] as number) - (only.visitsNode ? score : 0);
  let sum = 0;
  for (const { index, visitsNode } of from)
    sum += Math.exp((visitsNode ? score : 0) - (old[classAt + index] as number));
  return -Math.log(sum);
}

/** Runs one sweep. */
export function labelPass(setup: PassSetup): PassResult {
  const sweep = new Sweep(setup);
  sweep.run();
  return {
    ...(sweep.incumbent === undefined ? {} : { incumbent: sweep.incumbent }),
    droppedBound: sweep.droppedBound,
    labels: sweep.labels,
  };
}
