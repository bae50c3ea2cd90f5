import type { LabelProblem, NodeGraph, NodeOptions } from './label-problem.js';
import type { AccuracyLine, RelaxedScore } from './relaxed-score.js';

/** Node that finishes last; −1 if there is none. */
function latestOf(nodes: readonly number[], finish: Float64Array): number {
  return nodes.reduce((last, v) => (last === -1 || (finish[v] as number) > (finish[last] as number) ? v : last), -1);
}

/** Longest path to an output. Starts at an entry, or where only some predecessors are awaited. */
function longestPath(graph: NodeGraph, latencyOf: (node: number) => number): readonly number[] {
  const { predecessors, awaited, isOutput } = graph;
  const finish = new Float64Array(predecessors.length);
  const via = predecessors.map((before, v) => {
    const last = awaited[v] === before.length ? latestOf(before, finish) : -1;
    finish[v] = (last === -1 ? 0 : (finish[last] as number)) + latencyOf(v);
    return last;
  });
  const outputs = predecessors.flatMap((_, v) => (isOutput[v] ? [v] : []));
  const nodes: number[] = [];
  for (let v = latestOf(outputs, finish); v !== -1; v = via[v] as number) nodes.push(v);
  return nodes.reverse();
}

/**
 * Prices of limits and the resulting worth of options. Time is priced by path: each path that was ever the longest has
 * a price, and nodes and edges pay for every path through them. Paths start where only some predecessors are awaited,
 * which weakens the bound but keeps it valid.
 */

interface Path {
  readonly nodes: readonly number[];
  readonly price: number;
}

export interface Prices {
  readonly paths: readonly Path[];
  readonly amounts: Float64Array;
  readonly floor: number;
}

const MOST_PATHS = 32;

const noPrices = (problem: LabelProblem): Prices => ({
  paths: [],
  amounts: new Float64Array(problem.amounts.length),
  floor: 0,
});

/** Excess ÷ limit, for each limit; negative below the limit. */
export interface Excess {
  readonly paths: readonly number[];
  readonly amounts: readonly number[];
  readonly floor: number;
}

export class Pricing {
  readonly #problem: LabelProblem;
  readonly #relaxed: RelaxedScore;
  readonly #line: AccuracyLine;
  readonly #timed: boolean;
  readonly #floorScale: number;
  readonly #nodePrice: Float64Array;
  readonly #unitPrice: Float64Array;
  #prices: Prices;

  constructor(problem: LabelProblem, relaxed: RelaxedScore, line: AccuracyLine) {
    this.#problem = problem;
    this.#relaxed = relaxed;
    this.#line = line;
    this.#timed = problem.latencyLimitMs < Number.POSITIVE_INFINITY;
    this.#floorScale = problem.goal.kind === 'cost' ? Math.max(0.05, -problem.goal.scoreFloor) : 1;
    this.#nodePrice = new Float64Array(problem.nodes.length);
    this.#unitPrice = new Float64Array(problem.amounts.length);
    this.#prices = noPrices(problem);
    this.prices = this.#prices;
  }

  get prices(): Prices {
    return this.#prices;
  }

  set prices(prices: Prices) {
    this.#prices = prices;
    this.#nodePrice.fill(0);
    for (const { nodes, price } of prices.paths)
      for (const v of nodes) this.#nodePrice[v] = (this.#nodePrice[v] as number) + price / this.#problem.latencyLimitMs;
    const { amounts, cost } = this.#problem;
    amounts.forEach(({ limit }, k) => {
      const own = cost?.amount === k ? cost.perUnit : 0;
      this.#unitPrice[k] = own + (limit < Number.POSITIVE_INFINITY ? (prices.amounts[k] as number) / limit : 0);
    });
  }

  get unitPrices(): Float64Array {
    return this.#unitPrice.slice();
  }

  get scoreSlope(): number {
    return this.#problem.goal.kind === 'cost' ? this.#prices.floor / this.#floorScale : this.#line.slope;
  }

  get constant(): number {
    const { goal } = this.#problem;
    const { paths, amounts, floor } = this.#prices;
    let sum = this.scoreSlope * this.#relaxed.constant + this.#line.at0;
    if (goal.kind === 'cost') sum -= (floor / this.#floorScale) * goal.scoreFloor;
    for (const price of amounts) sum += price;
    for (const { price } of paths) sum += price;
    return sum;
  }

  /** Writes the worth of v's options to `into`. Returns the position of the best option. */
  worth(v: number, into: Float64Array): number {
    const node = this.#problem.nodes[v] as NodeOptions;
    const { count, score, latencyMs, amounts } = node;
    const perScore = this.scoreSlope * (this.#relaxed.weights[v] as number);
    const perMs = this.#nodePrice[v] as number;
    for (let o = 0; o < count; o++) into[o] = perScore * (score[o] as number) - perMs * (latencyMs[o] as number);
    for (let k = 0; k < amounts.length; k++) {
      const price = this.#unitPrice[k] as number;
      const used = amounts[k] as Float64Array;
      if (price > 0) for (let o = 0; o < count; o++) into[o] = (into[o] as number) - price * (used[o] as number);
    }
    let best = 0;
    for (let o = 1; o < count; o++) if ((into[o] as number) > (into[best] as number)) best = o;
    return best;
  }

  /** Excess of a choice. If its longest path is new, the path gets a price. */
  excessOf(choice: Int32Array): Excess {
    const { amounts, nodes, latencyLimitMs } = this.#problem;
    const latencyOf = (v: number): number => nodes[v]?.latencyMs[choice[v] as number] as number;
    if (this.#timed) this.#takeUp(longestPath(this.#problem.graph, latencyOf));
    const used = (k: number): number => sumOver(choice, (v) => nodes[v]?.amounts[k]?.[choice[v] as number] as number);
    return {
      paths: this.#prices.paths.map((path) => path.nodes.reduce((ms, v) => ms + latencyOf(v), 0) / latencyLimitMs - 1),
      amounts: amounts.map(({ limit }, k) => (limit < Number.POSITIVE_INFINITY ? used(k) / limit - 1 : 0)),
      floor: this.#underFloor(choice),
    };
  }

  move(excess: Excess, length: number): void {
    const { paths, amounts, floor } = this.#prices;
    this.prices = {
      paths: paths.map(({ nodes, price }, p) => ({
        nodes,
        price: Math.max(0, price + length * (excess.paths[p] as number)),
      })),
      amounts: amounts.map((price, k) => Math.max(0, price + length * (excess.amounts[k] as number))),
      floor: Math.max(0, floor + length * excess.floor),
    };
  }

  /** Squared length of `excess` over the limits that are priced or exceeded. */
  squareOf(excess: Excess): number {
    const { paths, amounts, floor } = this.#prices;
    const part = (price: number, over: number): number => (price > 0 || over > 0 ? over * over : 0);
    let square = part(floor, excess.floor);
    paths.forEach(({ price }, p) => {
      square += part(price, excess.paths[p] as number);
    });
    amounts.forEach((price, k) => {
      square += part(price, excess.amounts[k] as number);
    });
    return square;
  }

  edgePrices(): (p: number, v: number) => number {
    const n = this.#problem.nodes.length;
    const prices = new Float64Array(n * n);
    for (const { nodes, price } of this.#prices.paths)
      for (let i = 1; i < nodes.length; i++) {
        const edge = (nodes[i - 1] as number) * n + (nodes[i] as number);
        prices[edge] = (prices[edge] as number) + price / this.#problem.latencyLimitMs;
      }
    return (p, v) => prices[p * n + v] as number;
  }

  #takeUp(nodes: readonly number[]): void {
    const { paths } = this.#prices;
    if (paths.length >= MOST_PATHS) return;
    const known = paths.some(
      (path) => path.nodes.length === nodes.length && path.nodes.every((v, i) => v === nodes[i]),
    );
    if (!known) this.#prices = { ...this.#prices, paths: [...paths, { nodes, price: 0 }] };
  }

  #underFloor(choice: Int32Array): number {
    const { goal, nodes } = this.#problem;
    if (goal.kind !== 'cost') return 0;
    const { constant, weights } = this.#relaxed;
    const score =
      constant + sumOver(choice, (v) => (weights[v] as number) * (nodes[v]?.score[choice[v] as number] as number));
    return (goal.scoreFloor - score) / this.#floorScale;
  }
}

function sumOver(choice: Int32Array, of: (node: number) => number): number {
  let sum = 0;
  for (let v = 0; v < choice.length; v++) sum += of(v);
  return sum;
}
