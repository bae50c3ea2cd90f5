/**
 * Beam search for the choices of least expected latency per price level, stage by stage in topological order. Per level
 * it keeps the fastest partial choices. Their latency and price include the minimum for the remaining stages.
 */
import type { SurrogateOption } from '../options/surrogate.js';
import type { PlanningGraph } from '../problem/planning-graph.js';
import { isWithin, type ResourceUse } from '../problem/resource-use.js';
import { type ExpectedTimes, finishStage, type PathTimes, pathTimes } from './expected-times.js';

export interface PricedOption {
  readonly option: SurrogateOption;
  readonly times: ExpectedTimes;
  readonly price: number;
}

export interface BeamProblem {
  readonly graph: PlanningGraph;
  readonly stages: readonly (readonly PricedOption[])[];
  readonly limits: ResourceUse;
  readonly priceLimit: number;
  /** Slower choices are dropped. */
  readonly latencyLimitMs: number;
  readonly levels: number;
  readonly perLevel: number;
}

interface Partial {
  readonly before: Partial | undefined;
  readonly option: PricedOption | undefined;
  readonly price: number;
  readonly use: readonly number[];
  readonly times: PathTimes;
  readonly latencyMs: number;
}

export interface FastChoice {
  readonly choice: readonly SurrogateOption[];
  readonly price: number;
}

const RESOURCES = 4;

/** Minimum time from the finish of a stage to the last output that always waits for it. */
interface Rest {
  readonly meanMs: Float64Array;
  readonly squares: Float64Array;
}

function restOf({ graph, stages }: BeamProblem): Rest {
  const count = stages.length;
  const rest = { meanMs: new Float64Array(count), squares: new Float64Array(count) };
  const fastest = stages.map((options) => ({
    meanMs: options.reduce((least, o) => Math.min(least, o.times.meanMs), Number.POSITIVE_INFINITY),
    spreadMs: options.reduce((least, o) => Math.min(least, o.times.spreadMs), Number.POSITIVE_INFINITY),
  }));
  for (const s of [...graph.order].reverse())
    for (const next of graph.successors[s] ?? []) {
      if (graph.awaited[next] !== graph.predecessors[next]?.length) continue;
      const { meanMs, spreadMs } = fastest[next] as { meanMs: number; spreadMs: number };
      const mean = meanMs + (rest.meanMs[next] as number);
      const square = spreadMs ** 2 + (rest.squares[next] as number);
      if (mean + Math.sqrt(square) <= (rest.meanMs[s] as number) + Math.sqrt(rest.squares[s] as number)) continue;
      rest.meanMs[s] = mean;
      rest.squares[s] = square;
    }
  return rest;
}

interface LeastUse {
  readonly use: Float64Array;
  readonly price: number;
}

/** Minimum use and price of the stages that follow each position in topological order. */
function leastAfter({ graph, stages }: BeamProblem): readonly LeastUse[] {
  const after = [{ use: new Float64Array(RESOURCES), price: 0 }];
  for (const s of [...graph.order].reverse()) {
    const next = after[0] as LeastUse;
    const options = stages[s] ?? [];
    const least = (of: (o: PricedOption) => number): number => Math.min(...options.map(of));
    const use = next.use.map((amount, r) => amount + least((o) => o.option.option.use[r] as number));
    after.unshift({ use, price: next.price + least((o) => o.price) });
  }
  return after;
}

class Beam {
  readonly #problem: BeamProblem;
  readonly #rest: Rest;
  readonly #least: ReturnType<typeof leastAfter>;
  readonly #width: number;

  constructor(problem: BeamProblem) {
    this.#problem = problem;
    this.#rest = restOf(problem);
    this.#least = leastAfter(problem);
    const { stages, priceLimit, levels } = problem;
    const most = stages.reduce((sum, options) => sum + Math.max(...options.map((o) => o.price)), 0);
    this.#width = Math.max(1e-12, (Math.min(priceLimit, most) - this.#cheapest) / levels);
  }

  get #cheapest(): number {
    return this.#least[0]?.price ?? 0;
  }

  run(): readonly FastChoice[] {
    const { graph } = this.#problem;
    const count = graph.order.length;
    const none = { meanMs: new Float64Array(count), squares: new Float64Array(count) };
    let partials: readonly Partial[] = [
      { before: undefined, option: undefined, price: 0, use: [0, 0, 0, 0], times: none, latencyMs: 0 },
    ];
    graph.order.forEach((stage, position) => {
      partials = this.#extend(partials, stage, position);
    });
    return [...partials]
      .sort((a, b) => a.latencyMs - b.latencyMs)
      .map((partial) => ({ choice: this.#choiceOf(partial), price: partial.price }));
  }

  #choiceOf(partial: Partial): readonly SurrogateOption[] {
    const { order } = this.#problem.graph;
    const choice = new Array<SurrogateOption>(order.length);
    let at: Partial | undefined = partial;
    for (let position = order.length - 1; at?.option !== undefined; position--) {
      choice[order[position] as number] = at.option.option;
      at = at.before;
    }
    return choice;
  }

  #extend(partials: readonly Partial[], stage: number, position: number): readonly Partial[] {
    const { graph, stages, latencyLimitMs, levels, perLevel } = this.#problem;
    const least = this.#least[position + 1] as LeastUse;
    const open = this.#openAfter(position);
    const kept: Partial[][] = Array.from({ length: levels + 1 }, () => []);
    const scratch = pathTimes(graph.order.length);
    for (const before of partials) {
      scratch.meanMs.set(before.times.meanMs);
      scratch.squares.set(before.times.squares);
      for (const option of stages[stage] ?? []) {
        if (!this.#fits(before, option, least)) continue;
        finishStage(graph, stage, option.times, scratch);
        const latencyMs = this.#latestMs(scratch, open);
        if (latencyMs > latencyLimitMs) continue;
        const bucket = kept[this.#levelOf(before.price + option.price + least.price)] as Partial[];
        const worst = bucket[perLevel - 1];
        if (worst === undefined || worst.latencyMs > latencyMs)
          insertSorted(bucket, extended(before, option, { times: scratch, latencyMs }), perLevel);
      }
    }
    return kept.flat();
  }

  #levelOf(price: number): number {
    return Math.max(0, Math.min(this.#problem.levels, Math.floor((price - this.#cheapest) / this.#width)));
  }

  #fits(before: Partial, { option, price }: PricedOption, rest: LeastUse): boolean {
    const { limits, priceLimit } = this.#problem;
    if (!(before.price + price + rest.price < priceLimit)) return false;
    const { use } = option.option;
    for (let r = 0; r < RESOURCES; r++) {
      const amount = (before.use[r] as number) + (use[r] as number) + (rest.use[r] as number);
      if (!isWithin(amount, limits[r] as number)) return false;
    }
    return true;
  }

  /** Stages up to `position` that are outputs or have successors after it. */
  #openAfter(position: number): readonly number[] {
    const { graph } = this.#problem;
    const later = new Set(graph.order.slice(position + 1));
    return graph.order
      .slice(0, position + 1)
      .filter((s) => graph.outputs.includes(s) || (graph.successors[s] ?? []).some((next) => later.has(next)));
  }

  #latestMs({ meanMs, squares }: PathTimes, open: readonly number[]): number {
    const rest = this.#rest;
    let latest = 0;
    for (const s of open) {
      const square = (squares[s] as number) + (rest.squares[s] as number);
      latest = Math.max(latest, (meanMs[s] as number) + (rest.meanMs[s] as number) + Math.sqrt(square));
    }
    return latest;
  }
}

function extended(
  before: Partial,
  option: PricedOption,
  { times, latencyMs }: Pick<Partial, 'times' | 'latencyMs'>,
): Partial {
  return {
    before,
    option,
    price: before.price + option.price,
    use: before.use.map((amount, r) => amount + (option.option.option.use[r] as number)),
    times: { meanMs: times.meanMs.slice(), squares: times.squares.slice() },
    latencyMs,
  };
}

function insertSorted(bucket: Partial[], partial: Partial, most: number): void {
  let place = bucket.length;
  while (place > 0 && (bucket[place - 1] as Partial).latencyMs > partial.latencyMs) place--;
  bucket.splice(place, 0, partial);
  if (bucket.length > most) bucket.pop();
}

/** Choices, fastest first; empty if a stage has no option. */
export function fastChoices(problem: BeamProblem): readonly FastChoice[] {
  return problem.stages.some((options) => options.length === 0) ? [] : new Beam(problem).run();
}
