/**
 * The surrogate as a mixed-integer linear program for HiGHS, an independent solver: one binary per option, one finish
 * time per stage. It covers chains, and joins that wait for all, with a log-PAS or cost objective. Brute force checks
 * everything else.
 */
import highsModule, { type Highs, type ModelData } from 'highs';
import type { SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { logPas } from '../problem/accuracy-model.js';

/** Loads the solver. The types of the package do not show that its default export is the loader. */
export const loadHighs = highsModule as unknown as () => Promise<Highs>;

/** Optimum found by HiGHS: log PAS or cost; undefined if there is no plan. */
export interface HighsAnswer {
  readonly value: number | undefined;
  readonly elapsedMs: number;
}

interface Row {
  readonly lower: number;
  readonly upper: number;
  readonly terms: readonly (readonly [column: number, value: number])[];
}

const ROOM = 1e-9;
const withRoom = (limit: number): number => limit + ROOM * Math.max(1, limit);

/** The program. Its columns are the options stage by stage, then the finish times. */
class Program {
  readonly #problem: SurrogateProblem;
  readonly #first: readonly number[];
  readonly #options: readonly SurrogateOption[];

  constructor(problem: SurrogateProblem) {
    this.#problem = problem;
    let next = 0;
    this.#first = problem.stages.map((options) => {
      const first = next;
      next += options.length;
      return first;
    });
    this.#options = problem.stages.flat();
  }

  model(highs: Highs): ModelData {
    const rows = this.#rows();
    const numCols = this.#options.length + this.#problem.stages.length;
    const columns = Array.from({ length: numCols }, (_, i) => i);
    const binary = (i: number): boolean => i < this.#options.length;
    const { integer, continuous } = highs.constants.variableType;
    const starts = new Int32Array(rows.length + 1);
    rows.forEach((row, r) => {
      starts[r + 1] = (starts[r] as number) + row.terms.length;
    });
    const terms = rows.flatMap((row) => row.terms);
    return {
      numCols,
      numRows: rows.length,
      sense: highs.constants.objectiveSense.maximize,
      colCost: columns.map((i) => (binary(i) ? this.#gain(i) : 0)),
      colLower: new Float64Array(numCols),
      colUpper: columns.map((i) => (binary(i) ? 1 : withRoom(this.#problem.sloMs))),
      integrality: columns.map((i) => (binary(i) ? integer : continuous)),
      rowLower: rows.map((row) => row.lower),
      rowUpper: rows.map((row) => row.upper),
      matrix: {
        format: 'csr',
        numRows: rows.length,
        numCols,
        starts,
        indices: terms.map(([column]) => column),
        values: terms.map(([, value]) => value),
      },
    };
  }

  choice(values: ArrayLike<number>): readonly SurrogateOption[] {
    return this.#problem.stages.map((options, s) => {
      const at = options.findIndex((_, o) => (values[(this.#first[s] as number) + o] ?? 0) > 0.5);
      return options[at] as SurrogateOption;
    });
  }

  #stageOf(column: number): number {
    return this.#first.findLastIndex((first, s) => first <= column && (this.#problem.stages[s]?.length ?? 0) > 0);
  }

  #score(column: number): number {
    const stage = this.#stageOf(column);
    return logPas(this.#problem.accuracy.stageAccuracy(stage, this.#options[column]?.option.variantIndex ?? 0));
  }

  #gain(column: number): number {
    return this.#problem.objective.kind === 'min-cost'
      ? -(this.#options[column]?.costPerHour ?? 0)
      : this.#score(column);
  }

  #rows(): readonly Row[] {
    const { objective, limits, stages } = this.#problem;
    const columns = this.#options.map((_, i) => i);
    const rows: Row[] = stages.map((options, s) => ({
      lower: 1,
      upper: 1,
      terms: options.map((_, o) => [(this.#first[s] as number) + o, 1] as const),
    }));
    limits.forEach((limit, r) => {
      const terms = columns
        .map((i) => [i, this.#options[i]?.option.use[r] ?? 0] as const)
        .filter(([, value]) => value !== 0);
      if (Number.isFinite(limit)) rows.push({ lower: -Infinity, upper: withRoom(limit), terms });
    });
    if (objective.kind === 'min-cost' && objective.accuracyFloor > 0)
      rows.push({
        lower: logPas(objective.accuracyFloor) - 1e-12,
        upper: Infinity,
        terms: columns.map((i) => [i, this.#score(i)] as const),
      });
    return [...rows, ...this.#timeRows()];
  }

  /** Finish of a stage ≥ finish of each awaited stage + own time. */
  #timeRows(): readonly Row[] {
    const { graph, stages } = this.#problem;
    const finish = (s: number): number => this.#options.length + s;
    return stages.flatMap((options, s) => {
      const own = options.map((o, i) => [(this.#first[s] as number) + i, -o.latencyMs] as const);
      const before = graph.predecessors[s] ?? [];
      const starts = before.length === 0 ? [[]] : before.map((p) => [[finish(p), -1] as const]);
      return starts.map((start): Row => ({ lower: 0, upper: Infinity, terms: [[finish(s), 1], ...start, ...own] }));
    });
  }
}

/** True if a choice keeps all limits exactly, while HiGHS tolerates 1e-7. */
function keepsLimits(problem: SurrogateProblem, choice: readonly SurrogateOption[]): boolean {
  const { graph, limits, sloMs } = problem;
  const finish = new Map<number, number>();
  for (const s of graph.order) {
    const start = Math.max(0, ...(graph.predecessors[s] ?? []).map((p) => finish.get(p) ?? 0));
    finish.set(s, start + (choice[s]?.latencyMs ?? 0));
  }
  const inTime = graph.outputs.every((s) => (finish.get(s) ?? 0) <= withRoom(sloMs));
  return (
    inTime && limits.every((limit, r) => choice.reduce((sum, o) => sum + (o.option.use[r] ?? 0), 0) <= withRoom(limit))
  );
}

/** The model in the format of HiGHS, for other solvers. */
export const highsModel = (highs: Highs, problem: SurrogateProblem): ModelData => new Program(problem).model(highs);

/**
 * Solves `problem` with HiGHS at gap 0. If the answer exceeds a limit by the tolerance, solves again with slightly
 * tighter limits.
 */
export function solveWithHighs(highs: Highs, problem: SurrogateProblem): HighsAnswer {
  if (problem.stages.some((options) => options.length === 0)) return { value: undefined, elapsedMs: 0 };
  const program = new Program(problem);
  const model = program.model(highs);
  const startedAt = performance.now();
  const found = highs.withModel(model, (instance) => {
    instance.options.set({ output_flag: false, mip_rel_gap: 0, mip_abs_gap: 0 });
    instance.run();
    const optimal = instance.getModelStatus() === highs.constants.modelStatus.optimal;
    if (!optimal) return undefined;
    return { value: instance.getObjectiveValue(), choice: program.choice(instance.getSolution().colValue) };
  });
  const elapsedMs = performance.now() - startedAt;
  if (found !== undefined && !keepsLimits(problem, found.choice)) {
    const inside = (limit: number): number => limit * (1 - 1e-6);
    const [cores, memory, gpus, cost] = problem.limits;
    const limits = [inside(cores), inside(memory), inside(gpus), inside(cost)] as const;
    return { ...solveWithHighs(highs, { ...problem, sloMs: inside(problem.sloMs), limits }), elapsedMs };
  }
  return { value: found?.value, elapsedMs };
}
