/**
 * Rough plan of random variants by plain queueing formulas. It sets the scale of load, SLO and budget of an instance;
 * nothing is claimed about it.
 */
import type { Draw } from './draw.js';
import type { DrawnStage, Flow } from './draw-graph.js';
import type { DrawnPoint, DrawnVariant } from './draw-variants.js';

interface RoughChoice {
  readonly stage: DrawnStage;
  readonly variant: DrawnVariant;
  readonly cpuCores: number;
  readonly point: DrawnPoint;
}

export interface RoughPlan {
  readonly arrivalRps: number;
  readonly latencyMs: number;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly largestReplica: number;
  /** Variant by stage. */
  readonly choice: Readonly<Record<string, string>>;
}

const LEAST_RPS = 0.5;
const MOST_RPS = 500;
/** Tail of a sum, in standard deviations, by percentile. */
const DEVIATIONS: Readonly<Record<number, number>> = { 90: 1.4, 95: 1.9, 99: 3, 99.5: 3.4, 99.9: 4.6 };
const Z_99 = 2.3263;

export const pointMeanMs = ({ meanMs, throughputRps, batchSize }: DrawnPoint): number =>
  meanMs ?? (1000 * batchSize) / (throughputRps ?? Number.NaN);

const shareOf = (cpuCores: number): number => Math.min(1, cpuCores);

function drawChoice(draw: Draw, stage: DrawnStage, variants: readonly DrawnVariant[]): RoughChoice {
  const variant = variants[Math.floor(variants.length * draw.uniform(0, 1) ** 0.8)] as DrawnVariant;
  const cpuCores = draw.pick(variant.resources.cpuCores);
  const points = variant.profile.filter((point) => point.cpuCores === Math.max(1, cpuCores));
  const batched = draw.chance(0.5) ? draw.pick(points) : (points[0] as DrawnPoint);
  return { stage, variant, cpuCores, point: batched };
}

/** Busy cores per request and second. */
const workMs = ({ stage, point, cpuCores }: RoughChoice): number =>
  (stage.visits * pointMeanMs(point) * Math.max(1, cpuCores)) / point.batchSize;

interface Sojourn {
  readonly meanMs: number;
  readonly varianceMs2: number;
  readonly replicas: number;
}

function sojournOf(choice: RoughChoice, arrivalRps: number, loadFactor: number): Sojourn {
  const { stage, point, cpuCores } = choice;
  const serviceMs = pointMeanMs(point);
  const replicaRps = (1000 * shareOf(cpuCores) * point.batchSize) / serviceMs;
  const itemRps = arrivalRps * stage.visits;
  const replicas = Math.max(1, Math.ceil(itemRps / (replicaRps * loadFactor)));
  const rho = Math.min(0.97, itemRps / (replicas * replicaRps));
  // Sakasegawa's approximation of the wait in M/G/n.
  const waitMs = (rho ** (Math.sqrt(2 * (replicas + 1)) - 1) / (replicas * (1 - rho))) * serviceMs;
  const rounds = Math.ceil(stage.groupSize / (replicas * point.batchSize));
  const deviationMs = (point.p99Ms - serviceMs) / Z_99;
  return {
    meanMs: waitMs + serviceMs * rounds,
    varianceMs2: waitMs ** 2 + rounds * deviationMs ** 2,
    replicas,
  };
}

interface PathTime {
  readonly meanMs: number;
  readonly varianceMs2: number;
}

function timeOf(flow: Flow, sojourns: ReadonlyMap<string, Sojourn>): PathTime {
  switch (flow.kind) {
    case 'stage':
      return sojourns.get(flow.stage) as Sojourn;
    case 'series':
      return flow.parts
        .map((part) => timeOf(part, sojourns))
        .reduce((a, b) => ({ meanMs: a.meanMs + b.meanMs, varianceMs2: a.varianceMs2 + b.varianceMs2 }));
    case 'parallel':
      return longest(flow.parts.map((part) => timeOf(part, sojourns)));
    case 'chosen':
      return longest(
        [flow.taken, ...(flow.otherwise === undefined ? [] : [flow.otherwise])].map((part) => timeOf(part, sojourns)),
      );
  }
}

const longest = (times: readonly PathTime[]): PathTime =>
  times.reduce((a, b) => (a.meanMs + 2 * Math.sqrt(a.varianceMs2) > b.meanMs + 2 * Math.sqrt(b.varianceMs2) ? a : b));

export interface RoughQuestion {
  readonly stages: readonly DrawnStage[];
  readonly variants: ReadonlyMap<string, readonly DrawnVariant[]>;
  readonly flow: Flow;
  readonly percentile: number;
  readonly busyCores: number;
}

export function roughPlan(draw: Draw, { stages, variants, flow, percentile, busyCores }: RoughQuestion): RoughPlan {
  const choices = stages.map((stage) => drawChoice(draw, stage, variants.get(stage.name) ?? []));
  const workPerRequestMs = choices.reduce((sum, choice) => sum + workMs(choice), 0);
  const wantedRps = (1000 * busyCores) / workPerRequestMs;
  const arrivalRps = Number(Math.min(MOST_RPS, Math.max(LEAST_RPS, wantedRps)).toPrecision(3));
  const sojourns = new Map(
    choices.map((choice) => [choice.stage.name, sojournOf(choice, arrivalRps, draw.uniform(0.45, 0.9))]),
  );
  const { meanMs, varianceMs2 } = timeOf(flow, sojourns);
  const total = (of: (choice: RoughChoice) => number): number =>
    choices.reduce((sum, choice) => sum + of(choice) * (sojourns.get(choice.stage.name)?.replicas ?? 1), 0);
  return {
    arrivalRps,
    latencyMs: meanMs + (DEVIATIONS[percentile] ?? 3) * Math.sqrt(varianceMs2),
    cpuCores: total(({ cpuCores }) => cpuCores),
    memoryBytes: total(({ variant }) => variant.resources.memoryBytes ?? 0),
    largestReplica: Math.max(...choices.map(({ cpuCores }) => cpuCores)),
    choice: Object.fromEntries(choices.map(({ stage, variant }) => [stage.name, variant.name])),
  };
}
