/**
 * Oracle of the planner's tests. It judges one plan by plain recursion over the pipeline. With the solver it shares
 * only curves and the estimate of stage times.
 */
import { estimateStage, refineStage } from '../estimate/stage-sojourn.js';
import { sumOfTailsReplicas, sumOfTailsStageMs } from '../estimate/sum-of-tails.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec, StageSpec, VariantSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import { capacityRps, curvesOf, type ServiceCurve } from '../profile/service-curves.js';
import type { PlanningProblem } from './planning-problem.js';

export interface OracleOption {
  readonly variant: VariantSpec;
  readonly cpuCores: number;
  readonly batch: number;
  readonly replicas: number;
  readonly meanMs: number;
  readonly tailMs: number;
  readonly cost: number;
}

export type OraclePlan = Readonly<Record<string, OracleOption>>;

export interface OracleFactors {
  readonly theta: number;
  readonly kappa: number;
}

/** Limits that a plan keeps, and its value. `pas` is absent if a limit is broken or a needed measurement is missing. */
export interface OracleVerdict {
  readonly inTime: boolean;
  readonly inBudget: boolean;
  readonly pas: number | undefined;
  readonly cost: number;
}

type StageRun = Pick<StagePlan, 'variantId' | 'maxBatchSize' | 'replicas'> & {
  readonly resources: { readonly cpuCores: number };
};

const SLACK = 1e-9;
const slack = (limit: number): number => limit + SLACK * Math.max(1, limit);

interface Stage {
  readonly spec: PipelineSpec;
  readonly stage: StageSpec;
  readonly rps: number;
  readonly group: number;
}

/** Visits of a stage per request, and its group size. Walks back along first in-edges, over all `when` outcomes. */
function stageLoad(spec: PipelineSpec, id: StageId): { readonly visits: number; readonly group: number } {
  const fanOuts = (at: StageId): readonly number[] => {
    const edge = spec.edges.find((e) => e.to === at);
    if (edge === undefined) return [];
    const before = fanOuts(edge.from);
    if (edge.join === 'all') return before.slice(0, -1);
    return edge.fanOut === undefined ? before : [...before, edge.fanOut.expected];
  };
  const edge = spec.edges.find((e) => e.to === id);
  const reached = outcomes(spec).reduce((sum, o) => (o.visits(id) ? sum + o.probability : sum), 0);
  return {
    visits: fanOuts(id).reduce((a, b) => a * b, 1) * reached,
    group: edge?.join === undefined ? (edge?.fanOut?.expected ?? 1) : 1,
  };
}

interface VisitOutcome {
  readonly probability: number;
  visits(id: StageId): boolean;
}

/** Outcomes of all `when` edges: each stage with such edges takes one or none. */
function outcomes(spec: PipelineSpec): readonly VisitOutcome[] {
  const forks = spec.stages.map((s) => spec.edges.filter((e) => e.from === s.id && e.when)).filter((f) => f.length > 0);
  const all: VisitOutcome[] = [];
  const choose = (fork: number, probability: number, taken: ReadonlySet<unknown>): void => {
    const edges = forks[fork];
    if (edges === undefined) {
      const visits = (id: StageId): boolean => {
        const into = spec.edges.filter((e) => e.to === id);
        return into.length === 0 || into.some((e) => visits(e.from) && (e.when === undefined || taken.has(e)));
      };
      all.push({ probability, visits });
      return;
    }
    const none = 1 - edges.reduce((sum, e) => sum + (e.when?.probability ?? 0), 0);
    for (const e of edges) choose(fork + 1, probability * (e.when?.probability ?? 0), new Set([...taken, e]));
    choose(fork + 1, probability * none, taken);
  };
  choose(0, 1, new Set());
  return all;
}

function timesOf(problem: PlanningProblem, at: Stage, curve: ServiceCurve, size: { batch: number; replicas: number }) {
  if (problem.estimator === 'sum-of-tails') {
    const ms = sumOfTailsStageMs(curve, size.batch, at.rps);
    return { meanMs: ms, tailMs: ms };
  }
  const query = {
    replicas: size.replicas,
    maxBatchSize: size.batch,
    arrivalRps: at.rps,
    groupSize: Math.max(1, at.group),
  };
  const simulated = refineStage({ ...query, curve });
  const wholeCore = estimateStage({ ...query, curve: { ...curve, shareFraction: 1 } });
  const q = at.spec.slo.percentile / 100;
  if (curve.shareFraction < 1 && wholeCore.loadFactor / curve.shareFraction <= 0.25)
    return { meanMs: wholeCore.meanMs, tailMs: wholeCore.quantileMs(q) };
  return {
    meanMs: Math.max(simulated.meanMs, wholeCore.meanMs),
    tailMs: Math.max(simulated.quantileMs(q), wholeCore.quantileMs(q)),
  };
}

function switchingCost(
  problem: PlanningProblem,
  at: Stage,
  option: { variant: VariantSpec; cpuCores: number; replicas: number; one: number },
): number {
  const running = problem.runningPlan?.stages[at.stage.id];
  if (running === undefined) return 0;
  const same = running.replicas.filter(
    (r) =>
      r.variantId === option.variant.id &&
      r.resources.cpuCores === option.cpuCores &&
      r.status !== 'failed' &&
      r.status !== 'draining',
  ).length;
  const { intervalMs, minDwellMs } = at.spec.control;
  const inForceMs = Math.max(60_000, intervalMs, minDwellMs);
  return (Math.max(0, option.replicas - same) * option.one * (option.variant.loadMs ?? 0)) / inForceMs;
}

/** All configurations of a stage, ignoring pins and bounds. */
function waysToRun(at: Stage, curveOf: (variant: VariantSpec, cores: number) => ServiceCurve): readonly Way[] {
  const replicas = Array.from({ length: at.stage.bounds.maxReplicas }, (_, i) => i + 1);
  return at.stage.variants.flatMap((variant) =>
    variant.cpuCores.flatMap((cpuCores) => {
      const curve = curveOf(variant, cpuCores);
      return curve.batchSizes.flatMap((batch) =>
        replicas.map((n) => ({ variant, cpuCores, curve, batch, replicas: n })),
      );
    }),
  );
}

interface Way {
  readonly variant: VariantSpec;
  readonly cpuCores: number;
  readonly curve: ServiceCurve;
  readonly batch: number;
  readonly replicas: number;
}

function allowed({ stage }: Stage, way: Way): boolean {
  const { pins, bounds } = stage;
  if ((pins.variantId ?? way.variant.id) !== way.variant.id || (pins.cpuCores ?? way.cpuCores) !== way.cpuCores)
    return false;
  if ((pins.maxBatchSize ?? way.batch) !== way.batch || !(bounds.batchSizes?.includes(way.batch) ?? true)) return false;
  return pins.replicas === undefined ? way.replicas >= bounds.minReplicas : way.replicas === pins.replicas;
}

/** True if replicas suffice for the rate. The literature's formula allows one count only. */
function sufficient({ estimator }: PlanningProblem, { stage, rps }: Stage, way: Way): boolean {
  if (estimator === 'distribution') return rps < capacityRps(way.curve, way.replicas, way.batch);
  const needed = sumOfTailsReplicas(way.curve, way.batch, rps);
  return way.replicas === (stage.pins.replicas ?? Math.max(stage.bounds.minReplicas, needed)) && way.replicas >= needed;
}

function optionsOf(problem: PlanningProblem, at: Stage): readonly OracleOption[] {
  const { stage, spec } = at;
  const { prices } = spec;
  const curves = curvesOf(spec, problem.profiles);
  if (curves.kind === 'invalid') throw new Error('the oracle needs valid profiles');
  const ways = waysToRun(at, (variant, cores) => curves.curve(stage.id, variant.id, cores) as ServiceCurve);
  return ways
    .filter((way) => allowed(at, way) && sufficient(problem, at, way))
    .map((way) => {
      const { variant, cpuCores, batch, replicas } = way;
      const memory = (variant.memoryBytes / 2 ** 30) * prices.memoryGibPerHour;
      const one = cpuCores * prices.cpuCorePerHour + memory + variant.gpus * prices.gpuPerHour;
      const cost = one * replicas + switchingCost(problem, at, { variant, cpuCores, replicas, one });
      return { variant, cpuCores, batch, replicas, cost, ...timesOf(problem, at, way.curve, way) };
    });
}

function accuracyOf(spec: PipelineSpec, plan: OraclePlan, visits: readonly VisitOutcome[]): number | undefined {
  const entries = spec.accuracyTable?.combinations ?? [];
  const measured = entries.find((e) => Object.entries(e.variants).every(([s, v]) => plan[s]?.variant.id === v));
  if (measured !== undefined) return measured.accuracy;
  const partial = [...spec.stages, ...(spec.combines ?? [])].some((s) => {
    if ('method' in s) return true;
    const into = spec.edges.filter((e) => e.to === s.id);
    return into.length > 1 && into.some((e) => e.join !== undefined && e.join !== 'all');
  });
  if (partial) return undefined;
  let mean = 0;
  for (const outcome of visits) {
    let product = 1;
    for (const s of spec.stages)
      if (s.kind === 'model' && outcome.visits(s.id)) product *= plan[s.id]?.variant.accuracy?.value ?? 1;
    mean += outcome.probability * product;
  }
  return mean;
}

function finishOf(spec: PipelineSpec, id: StageId, msOf: (id: StageId) => number): number {
  const into = spec.edges.filter((e) => e.to === id);
  const times = into.map((e) => finishOf(spec, e.from, msOf)).sort((a, b) => a - b);
  let needed = into.length;
  for (const e of into) {
    if (e.join === 'any') needed = Math.min(needed, 1);
    else if (typeof e.join === 'object') needed = Math.min(needed, e.join.quorum);
  }
  return (needed === 0 ? 0 : (times[needed - 1] as number)) + msOf(id);
}

/** True if all replicas fit on the machines. Tries every machine for every replica, largest replica first. */
function packs(spec: PipelineSpec, plan: OraclePlan): boolean {
  if (spec.nodes === undefined) return true;
  const free = spec.nodes.flatMap((n) => Array.from({ length: n.count }, () => [n.cpuCores, n.memoryBytes, n.gpus]));
  const items = Object.values(plan)
    .flatMap((o) => Array.from({ length: o.replicas }, () => [o.cpuCores, o.variant.memoryBytes, o.variant.gpus]))
    .sort((a, b) => (b[0] as number) - (a[0] as number));
  const place = (i: number): boolean => {
    const item = items[i];
    if (item === undefined) return true;
    const tried = new Set<string>();
    for (const machine of free) {
      const key = machine.join(' ');
      if (tried.has(key)) continue;
      tried.add(key);
      if (!item.every((need, r) => need <= (machine[r] as number) + 1e-9)) continue;
      item.forEach((need, r) => {
        machine[r] = (machine[r] as number) - need;
      });
      if (place(i + 1)) return true;
      item.forEach((need, r) => {
        machine[r] = (machine[r] as number) + need;
      });
    }
    return false;
  };
  return place(0);
}

/** Use of each budgeted resource, with its limit. */
function used(spec: PipelineSpec, plan: OraclePlan): readonly (readonly [number, number | undefined])[] {
  const all = Object.values(plan);
  const cores = all.reduce((sum, o) => sum + o.cpuCores * o.replicas, 0);
  const memory = all.reduce((sum, o) => sum + o.variant.memoryBytes * o.replicas, 0);
  const gpus = all.reduce((sum, o) => sum + o.variant.gpus * o.replicas, 0);
  const { cpuCorePerHour, memoryGibPerHour, gpuPerHour } = spec.prices;
  const hourly = cores * cpuCorePerHour + (memory / 2 ** 30) * memoryGibPerHour + gpus * gpuPerHour;
  const { budget } = spec;
  return [
    [cores, budget.cpuCores],
    [memory, budget.memoryBytes],
    [gpus, budget.gpus],
    [hourly, budget.costPerHour],
  ];
}

function latencyOf(spec: PipelineSpec, plan: OraclePlan, { theta, kappa }: OracleFactors): number {
  const msOf = (id: StageId): number => {
    const o = plan[id];
    // A combine stage takes no time.
    if (o === undefined) return 0;
    return kappa * (o.meanMs + theta * (o.tailMs - o.meanMs));
  };
  return Math.max(...spec.outputs.map((output) => finishOf(spec, output.from, msOf)));
}

/** Judges plans of `problem`, whose spec already has the overrides, under θ and κ. */
export class PlanOracle {
  readonly spec: PipelineSpec;
  /** Per stage, the configurations that pins, bounds and rate allow. */
  readonly options: readonly (readonly OracleOption[])[];
  readonly #factors: OracleFactors;
  readonly #visits: readonly VisitOutcome[];

  constructor(problem: PlanningProblem, factors: OracleFactors) {
    const { spec } = problem;
    this.spec = spec;
    this.#factors = factors;
    this.#visits = outcomes(spec);
    this.options = spec.stages.map((stage) => {
      const { visits, group } = stageLoad(spec, stage.id);
      return optionsOf(problem, { spec, stage, rps: Math.max(1e-3, problem.arrivalRps * visits), group });
    });
  }

  judge(plan: OraclePlan): OracleVerdict {
    const { spec } = this;
    const inTime = latencyOf(spec, plan, this.#factors) <= slack(spec.slo.latencyMs);
    const inBudget = used(spec, plan).every(([amount, limit]) => limit === undefined || amount <= slack(limit));
    return {
      inTime,
      inBudget,
      pas: inTime && inBudget && packs(spec, plan) ? accuracyOf(spec, plan, this.#visits) : undefined,
      cost: Object.values(plan).reduce((sum, o) => sum + o.cost, 0),
    };
  }

  /** True if all options are allowed and the plan keeps every limit and the accuracy floor. */
  keepsAll(runs: readonly StageRun[]): boolean {
    const found = this.options.map((options, s) => {
      const run = runs[s];
      return options.find(
        (o) =>
          o.variant.id === run?.variantId &&
          o.cpuCores === run.resources.cpuCores &&
          o.batch === run.maxBatchSize &&
          o.replicas === run.replicas,
      );
    });
    if (found.some((o) => o === undefined)) return false;
    const plan = Object.fromEntries(this.spec.stages.map((stage, s) => [stage.id, found[s] as OracleOption]));
    const { pas } = this.judge(plan);
    return pas !== undefined && reachesFloor(this.spec, pas);
  }
}

/** True if a PAS reaches the floor, which only `min-cost` has. */
export const reachesFloor = ({ objective }: PipelineSpec, pas: number): boolean =>
  objective.kind !== 'min-cost' || pas >= objective.accuracyFloor * (1 - 1e-12);
