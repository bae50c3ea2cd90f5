/**
 * Lagrangian bound of a label problem (Fisher 1981): the SLO becomes a price per ms on the paths of the graph, each limited amount a price
 * per unit, the floor a price on the score; what is left is a sum of one maximum per node. Prices are improved by subgradient steps of
 * Polyak's length toward the best value known.
 *
 * The price of time is a flow: every path that was ever the longest carries some, a node pays the sum over its paths, and so does an edge,
 * which is what bounds the rest of a half-made choice. Where a node waits for some of its predecessors only, no path passes: the flow starts
 * anew behind it, a weaker but valid bound.
 */
import { choiceValue, type Goal, goalValue, type LabelProblem } from './label-problem.js';
import type { RelaxedScore } from './relaxed-score.js';

/** A choice with its value. */
export interface Incumbent {
  readonly value: number;
  readonly choice: Int32Array;
}

/** Prices and the bound they give: value ≤ `constant` + Σ max over `reduced[v]`. */
export interface Multipliers {
  readonly bound: number;
  readonly constant: number;
  readonly scoreSlope: number;
  /** Worth of each option at these prices. */
  readonly reduced: readonly Float64Array[];
  /** Largest of each node. */
  readonly best: Float64Array;
  /** Price per ms on the edge from p to v. */
  edgePrice(p: number, v: number): number;
}

const PATIENCE = 8;
const MOST_PATHS = 32;
const CLOSED = 1e-9;

interface Path {
  readonly nodes: readonly number[];
  price: number;
}

/** Price state of an ascent; prices are per limit (of the SLO, of an amount), so that all are of the size of a value. */
interface Prices {
  readonly paths: readonly { readonly nodes: readonly number[]; readonly price: number }[];
  readonly amounts: Float64Array;
  readonly floor: number;
}

/** Straight line above the goal as a function of the score, on the scores that can still matter. */
function accuracyLine(goal: Goal, lowest: number, highest: number): { readonly slope: number; readonly at0: number } {
  if (goal.kind !== 'weights') return { slope: 1, at0: 0 };
  const [low, high] = [goal.accuracy * Math.exp(lowest), goal.accuracy * Math.exp(highest)];
  const slope = highest > lowest ? (high - low) / (highest - lowest) : high;
  return { slope, at0: high - slope * highest };
}

class Ascent {
  readonly #problem: LabelProblem;
  readonly #relaxed: RelaxedScore;
  readonly #line: { readonly slope: number; readonly at0: number };
  readonly #timed: boolean;
  readonly #paths: Path[] = [];
  readonly #known = new Set<string>();
  readonly #amountPrices: Float64Array;
  #floorPrice = 0;
  readonly #nodePrice: Float64Array;
  readonly #picks: Int32Array;
  readonly #floorScale: number;
  bound = Number.POSITIVE_INFINITY;
  bestPrices: Prices;
  incumbent: Incumbent | undefined;

  constructor(problem: LabelProblem, relaxed: RelaxedScore, incumbent: Incumbent | undefined) {
    this.#problem = problem;
    this.#relaxed = relaxed;
    this.incumbent = incumbent;
    this.#timed = problem.latencyLimitMs < Number.POSITIVE_INFINITY;
    this.#amountPrices = new Float64Array(problem.amounts.length);
    this.#nodePrice = new Float64Array(problem.nodes.length);
    this.#picks = new Int32Array(problem.nodes.length);
    this.#line = this.#accuracyLine();
    this.#floorScale = problem.goal.kind === 'cost' ? Math.max(0.05, -problem.goal.scoreFloor) : 1;
    this.bestPrices = this.#copyPrices();
  }

  #accuracyLine(): { readonly slope: number; readonly at0: number } {
    const { goal, nodes } = this.#problem;
    if (goal.kind !== 'weights' || goal.accuracy === 0) return { slope: goal.kind === 'weights' ? 0 : 1, at0: 0 };
    let highest = this.#relaxed.constant;
    let lowest = this.#relaxed.constant;
    let leastCost = 0;
    for (let v = 0; v < nodes.length; v++) {
      const weight = this.#relaxed.weights[v] as number;
      highest += weight * extreme(nodes[v]?.score, Math.max);
      lowest += weight * extreme(nodes[v]?.score, Math.min);
      leastCost += this.#costOf(v, (costs) => extreme(costs, Math.min));
    }
    const needed = this.incumbent === undefined ? 0 : (this.incumbent.value + leastCost) / goal.accuracy;
    return accuracyLine(goal, Math.min(highest, Math.max(lowest, Math.log(Math.max(needed, 1e-300)))), highest);
  }

  #costOf(v: number, of: (costs: Float64Array) => number): number {
    const { cost, nodes } = this.#problem;
    return cost === undefined ? 0 : cost.perUnit * of(nodes[v]?.amounts[cost.amount] as Float64Array);
  }

  #scoreSlope(): number {
    return this.#problem.goal.kind === 'cost' ? this.#floorPrice / this.#floorScale : this.#line.slope;
  }

  /** Worth of every option of node v at the present prices. */
  reducedOf(v: number): Float64Array {
    const { nodes, amounts, cost, latencyLimitMs } = this.#problem;
    const node = nodes[v] as LabelProblem['nodes'][number];
    const reduced = new Float64Array(node.count);
    const scoreWeight = this.#scoreSlope() * (this.#relaxed.weights[v] as number);
    const perMs = this.#timed ? (this.#nodePrice[v] as number) / latencyLimitMs : 0;
    for (let o = 0; o < node.count; o++)
      reduced[o] = scoreWeight * (node.score[o] as number) - perMs * (node.latencyMs[o] as number);
    for (let k = 0; k < amounts.length; k++) {
      const limit = (amounts[k] as { limit: number }).limit;
      const price =
        (limit < Number.POSITIVE_INFINITY ? (this.#amountPrices[k] as number) / limit : 0) +
        (cost?.amount === k ? cost.perUnit : 0);
      if (price === 0) continue;
      const used = node.amounts[k] as Float64Array;
      for (let o = 0; o < node.count; o++) reduced[o] = (reduced[o] as number) - price * (used[o] as number);
    }
    return reduced;
  }

  constant(): number {
    const { goal } = this.#problem;
    let sum = this.#scoreSlope() * this.#relaxed.constant;
    if (goal.kind === 'cost') sum -= this.#scoreSlope() * goal.scoreFloor;
    else sum += this.#line.at0;
    for (const price of this.#amountPrices) sum += price;
    for (const { price } of this.#paths) sum += price;
    return sum;
  }

  scoreSlope(): number {
    return this.#scoreSlope();
  }

  /** Evaluates the bound at the present prices and leaves each node's best option in the picks. */
  evaluate(): number {
    let bound = this.constant();
    for (let v = 0; v < this.#picks.length; v++) {
      const reduced = this.reducedOf(v);
      let best = 0;
      for (let o = 1; o < reduced.length; o++) if ((reduced[o] as number) > (reduced[best] as number)) best = o;
      this.#picks[v] = best;
      bound += reduced[best] as number;
    }
    if (this.bound === Number.POSITIVE_INFINITY || bound < this.bound - CLOSED * Math.abs(bound)) {
      this.bound = bound;
      this.bestPrices = this.#copyPrices();
    }
    const value = choiceValue(this.#problem, this.#picks);
    if (value !== undefined && (this.incumbent === undefined || value > this.incumbent.value))
      this.incumbent = { value, choice: this.#picks.slice() };
    return bound;
  }

  /** One step along the violations of the picks. Returns false where nothing is violated or priced. */
  step(distanceToTarget: number): boolean {
    const { goal, amounts, latencyLimitMs } = this.#problem;
    if (this.#timed) this.#addLongestPath();
    const overPath = this.#paths.map((path) => this.#lengthOf(path) / latencyLimitMs - 1);
    const overAmount = amounts.map(({ limit }, k) =>
      limit < Number.POSITIVE_INFINITY ? this.#used(k) / limit - 1 : 0,
    );
    const underFloor = goal.kind === 'cost' ? (goal.scoreFloor - this.#relaxedTotal()) / this.#floorScale : 0;
    let square = 0;
    this.#paths.forEach(({ price }, p) => {
      square += movable(price, overPath[p] as number);
    });
    overAmount.forEach((over, k) => {
      square += movable(this.#amountPrices[k] as number, over);
    });
    square += movable(this.#floorPrice, underFloor);
    if (square === 0) return false;
    const length = distanceToTarget / square;
    this.#paths.forEach((path, p) => {
      path.price = Math.max(0, path.price + length * (overPath[p] as number));
    });
    overAmount.forEach((over, k) => {
      this.#amountPrices[k] = Math.max(0, (this.#amountPrices[k] as number) + length * over);
    });
    this.#floorPrice = Math.max(0, this.#floorPrice + length * underFloor);
    this.#spreadPathPrices();
    return true;
  }

  restore(prices: Prices): void {
    this.#paths.length = 0;
    this.#known.clear();
    for (const path of prices.paths) {
      this.#paths.push({ ...path });
      this.#known.add(path.nodes.join(','));
    }
    this.#amountPrices.set(prices.amounts);
    this.#floorPrice = prices.floor;
    this.#spreadPathPrices();
  }

  edgePrices(): (p: number, v: number) => number {
    const n = this.#picks.length;
    const prices = new Float64Array(n * n);
    for (const { nodes, price } of this.#paths)
      for (let i = 1; i < nodes.length; i++) {
        const edge = (nodes[i - 1] as number) * n + (nodes[i] as number);
        prices[edge] = (prices[edge] as number) + price / this.#problem.latencyLimitMs;
      }
    return (p, v) => prices[p * n + v] as number;
  }

  #copyPrices(): Prices {
    return {
      paths: this.#paths.map((path) => ({ ...path })),
      amounts: this.#amountPrices.slice(),
      floor: this.#floorPrice,
    };
  }

  #spreadPathPrices(): void {
    this.#nodePrice.fill(0);
    for (const { nodes, price } of this.#paths)
      for (const v of nodes) this.#nodePrice[v] = (this.#nodePrice[v] as number) + price;
  }

  #latency(v: number): number {
    return this.#problem.nodes[v]?.latencyMs[this.#picks[v] as number] as number;
  }

  #lengthOf({ nodes }: Path): number {
    let sum = 0;
    for (const v of nodes) sum += this.#latency(v);
    return sum;
  }

  #used(k: number): number {
    let sum = 0;
    for (let v = 0; v < this.#picks.length; v++)
      sum += this.#problem.nodes[v]?.amounts[k]?.[this.#picks[v] as number] as number;
    return sum;
  }

  #relaxedTotal(): number {
    let sum = this.#relaxed.constant;
    for (let v = 0; v < this.#picks.length; v++)
      sum += (this.#relaxed.weights[v] as number) * (this.#problem.nodes[v]?.score[this.#picks[v] as number] as number);
    return sum;
  }

  #addLongestPath(): void {
    if (this.#paths.length >= MOST_PATHS) return;
    const nodes = this.#longestPath();
    const key = nodes.join(',');
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#paths.push({ nodes, price: 0 });
  }

  #longestPath(): readonly number[] {
    const { predecessors, awaited, isOutput } = this.#problem.graph;
    const n = predecessors.length;
    const finish = new Float64Array(n);
    const via = new Int32Array(n).fill(-1);
    let last = -1;
    for (let v = 0; v < n; v++) {
      const before = predecessors[v] as readonly number[];
      if (awaited[v] === before.length)
        for (const p of before)
          if (via[v] === -1 || (finish[p] as number) > (finish[via[v] as number] as number)) via[v] = p;
      finish[v] = (via[v] === -1 ? 0 : (finish[via[v] as number] as number)) + this.#latency(v);
      if (isOutput[v] && (last === -1 || (finish[v] as number) > (finish[last] as number))) last = v;
    }
    const nodes: number[] = [];
    for (let v = last; v !== -1; v = via[v] as number) nodes.push(v);
    return nodes.reverse();
  }
}

const extreme = (values: Float64Array | undefined, of: (a: number, b: number) => number): number =>
  (values as Float64Array).reduce((a, b) => of(a, b));

/** What a price contributes to the length of a step: nothing if it is 0 and would fall. */
const movable = (price: number, over: number): number => (price > 0 || over > 0 ? over * over : 0);

/** Least value any choice can have, limits aside: a bound below it proves that no choice keeps the limits. */
function leastValue(problem: LabelProblem): number {
  const lowest = problem.nodes.reduce((sum, node) => sum + extreme(node.score, Math.min), 0);
  const cost = problem.cost;
  const dearest =
    cost === undefined
      ? 0
      : problem.nodes.reduce((sum, node) => sum + cost.perUnit * extreme(node.amounts[cost.amount], Math.max), 0);
  return goalValue(problem.goal, lowest, dearest);
}

/** Prices found, the best choice met on the way, and whether the bound proves that there is none at all. */
export interface AscentResult {
  readonly multipliers: Multipliers;
  readonly incumbent?: Incumbent;
  readonly impossible: boolean;
}

/** Improves the prices by `iterations` steps. */
export function ascend(
  problem: LabelProblem,
  relaxed: RelaxedScore,
  start: { readonly iterations: number; readonly incumbent?: Incumbent; readonly prices?: Prices },
): AscentResult & { readonly prices: Prices } {
  const ascent = new Ascent(problem, relaxed, start.incumbent);
  if (start.prices !== undefined) ascent.restore(start.prices);
  const least = leastValue(problem);
  let eagerness = 1;
  let calm = 0;
  for (let i = 0; i < start.iterations; i++) {
    const before = ascent.bound;
    const bound = ascent.evaluate();
    if (ascent.bound < least - CLOSED * Math.max(1, Math.abs(least))) break;
    const target = ascent.incumbent?.value ?? ascent.bound - 0.1 * Math.max(1e-3, ascent.bound - least);
    if (ascent.bound - target <= CLOSED * Math.max(1, Math.abs(target))) break;
    calm = ascent.bound < before ? 0 : calm + 1;
    if (calm >= PATIENCE) {
      eagerness /= 2;
      calm = 0;
    }
    if (!ascent.step(eagerness * Math.max(bound - target, 1e-12))) break;
  }
  ascent.restore(ascent.bestPrices);
  const reduced = problem.nodes.map((_, v) => ascent.reducedOf(v));
  const best = Float64Array.from(reduced, (values) => extreme(values, Math.max));
  const multipliers: Multipliers = {
    bound: ascent.bound,
    constant: ascent.constant(),
    scoreSlope: ascent.scoreSlope(),
    reduced,
    best,
    edgePrice: ascent.edgePrices(),
  };
  return {
    multipliers,
    ...(ascent.incumbent === undefined ? {} : { incumbent: ascent.incumbent }),
    impossible: ascent.bound < least - CLOSED * Math.max(1, Math.abs(least)),
    prices: ascent.bestPrices,
  };
}
