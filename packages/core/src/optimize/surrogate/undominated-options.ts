import { paretoFilter } from '../labels/pareto-filter.js';
import type { SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { isProduct, logPas } from '../problem/accuracy-model.js';
import { finishTimes, type PlanningGraph } from '../problem/planning-graph.js';
import { resourceKinds, withRounding } from '../problem/resource-use.js';

/**
 * Keeps only options that can be part of a best choice. An option must fit the limits while all other stages use their
 * minimum. No other option may be at least as good in time, cost, budgeted resources and accuracy. If accuracies do not
 * multiply, options compete only within a variant.
 */

interface Range {
  leastMs: number;
  mostMs: number;
  readonly least: Float64Array;
  readonly most: Float64Array;
}

const RESOURCES = resourceKinds.length;

function rangeOf(options: readonly SurrogateOption[]): Range {
  const range: Range = {
    leastMs: Number.POSITIVE_INFINITY,
    mostMs: 0,
    least: new Float64Array(RESOURCES).fill(Number.POSITIVE_INFINITY),
    most: new Float64Array(RESOURCES),
  };
  for (const { latencyMs, option } of options) {
    if (latencyMs < range.leastMs) range.leastMs = latencyMs;
    if (latencyMs > range.mostMs) range.mostMs = latencyMs;
    for (let r = 0; r < RESOURCES; r++) {
      const amount = option.use[r] as number;
      if (amount < (range.least[r] as number)) range.least[r] = amount;
      if (amount > (range.most[r] as number)) range.most[r] = amount;
    }
  }
  return range;
}

/** Time (ms) from the finish of a stage to the last output that always waits for it; −Infinity if there is none. */
function tailsMs(graph: PlanningGraph, leastMs: readonly number[]): readonly number[] {
  const tails = graph.predecessors.map((_, s) => (graph.outputs.includes(s) ? 0 : Number.NEGATIVE_INFINITY));
  for (const s of [...graph.order].reverse())
    for (const next of graph.successors[s] ?? [])
      if (graph.awaited[next] === graph.predecessors[next]?.length)
        tails[s] = Math.max(tails[s] as number, (leastMs[next] as number) + (tails[next] as number));
  return tails;
}

interface Limits {
  readonly latestMs: readonly number[];
  readonly most: readonly Float64Array[];
}

function limitsPerStage({ graph, sloMs, limits }: SurrogateProblem, ranges: readonly Range[]): Limits {
  const leastMs = ranges.map((range) => range.leastMs);
  const finish = finishTimes(graph, (s) => leastMs[s] as number);
  const tails = tailsMs(graph, leastMs);
  const least = resourceKinds.map((_, r) => ranges.reduce((sum, range) => sum + (range.least[r] as number), 0));
  return {
    latestMs: leastMs.map((ms, s) => withRounding(sloMs) - ((finish[s] as number) - ms) - (tails[s] as number)),
    most: ranges.map((range) =>
      Float64Array.from(
        limits,
        (limit, r) => withRounding(limit) - ((least[r] as number) - (range.least[r] as number)),
      ),
    ),
  };
}

function fits(o: SurrogateOption, latestMs: number, most: Float64Array): boolean {
  if (o.latencyMs > latestMs) return false;
  for (let r = 0; r < RESOURCES; r++) if ((o.option.use[r] as number) > (most[r] as number)) return false;
  return true;
}

/** True if use of the resource is proportional to cost. Then cost represents it. */
function followsCost(stages: SurrogateProblem['stages'], r: number): boolean {
  let ratio = -1;
  for (const options of stages)
    for (const { option, costPerHour } of options) {
      const here = (option.use[r] as number) / costPerHour;
      if (ratio < 0) ratio = here;
      if (!(Math.abs(here - ratio) <= 1e-13 * ratio)) return false;
    }
  return true;
}

type Column = (o: SurrogateOption, stage: number) => number;

function columnsOf(problem: SurrogateProblem, ranges: readonly Range[]): readonly Column[] {
  const { accuracy, objective, limits, sloMs, graph, nodes } = problem;
  const slowest = finishTimes(graph, (s) => ranges[s]?.mostMs ?? 0);
  const timed = graph.outputs.some((s) => (slowest[s] as number) > sloMs);
  const columns: Column[] = [(o) => o.costPerHour];
  if (timed) columns.unshift((o) => o.latencyMs);
  limits.forEach((limit, r) => {
    const most = ranges.reduce((sum, range) => sum + (range.most[r] as number), 0);
    if (most > limit && !followsCost(problem.stages, r)) columns.push(({ option }) => option.use[r] as number);
  });
  if (objective.kind === 'weights') columns.push(({ option }) => option.maxBatchSize);
  // At equal cost, fewer replicas are easier to pack.
  if (nodes !== undefined) columns.push(({ option }) => option.replicas);
  if (isProduct(accuracy)) columns.push((o, s) => -logPas(accuracy.stageAccuracy(s, o.option.variantIndex)));
  return columns;
}

function paretoOptions(
  options: readonly SurrogateOption[],
  stage: number,
  columns: readonly Column[],
): readonly SurrogateOption[] {
  const dims = columns.length;
  const coordinates = new Float64Array(options.length * dims);
  for (let d = 0; d < dims; d++) {
    const column = columns[d] as Column;
    for (let i = 0; i < options.length; i++) coordinates[i * dims + d] = column(options[i] as SurrogateOption, stage);
  }
  const kept = paretoFilter({ coordinates, count: options.length, dims });
  return Array.from(kept, (i) => options[i] as SurrogateOption);
}

function comparableGroups(
  { accuracy, nodes }: SurrogateProblem,
  options: readonly SurrogateOption[],
): readonly SurrogateOption[][] {
  if (isProduct(accuracy) && nodes === undefined) return [[...options]];
  const groups = new Map<string, SurrogateOption[]>();
  for (const o of options) {
    const { cpuCores, memoryBytes, gpus } = o.option.resources;
    const variant = isProduct(accuracy) ? '' : o.option.variantIndex;
    const key = nodes === undefined ? `${variant}` : `${variant} ${cpuCores} ${memoryBytes} ${gpus}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [o]);
    else group.push(o);
  }
  return [...groups.values()];
}

/** The problem without dominated options. Its best choice is the same. */
export function undominatedOptions(problem: SurrogateProblem): SurrogateProblem {
  const ranges = problem.stages.map(rangeOf);
  const { latestMs, most } = limitsPerStage(problem, ranges);
  const fitting = problem.stages.map((options, s) =>
    options.filter((o) => fits(o, latestMs[s] as number, most[s] as Float64Array)),
  );
  const columns = columnsOf(problem, ranges);
  const stages = fitting.map((options, s) =>
    comparableGroups(problem, options).flatMap((group) => paretoOptions(group, s, columns)),
  );
  return { ...problem, stages };
}
