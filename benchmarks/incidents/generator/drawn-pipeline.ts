/** Random pipelines with profiles in the file: chains with or without a fan-out, forks, and cascades. */
import type { SeededRng } from '@equipoise/core/model';

/** Stage of a pipeline file, as far as it is drawn. */
interface DrawnStage {
  readonly name: string;
  readonly variants: readonly DrawnVariant[];
}

interface DrawnVariant {
  readonly name: string;
  readonly loadMs: number;
  readonly resources: { readonly cpuCores: readonly number[] };
  readonly accuracy: { readonly value: number };
  readonly profile: readonly DrawnPoint[];
}

interface DrawnPoint {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  readonly fanOut?: { readonly expected: number };
  readonly when?: { readonly condition: string; readonly probability: number };
}

export interface DrawnPipeline {
  readonly name: string;
  readonly slo: { readonly latencyMs: number; readonly percentile: number };
  readonly budgetCores: number;
  /** Cores of the fastest variants at this rate, 60 % busy. */
  readonly usedCores: number;
  readonly arrivalRps: number;
  readonly stages: readonly DrawnStage[];
  readonly edges: readonly DrawnEdge[];
  readonly file: unknown;
}

export type Draw = Pick<SeededRng, 'next'>;

export const between = (rng: Draw, low: number, high: number): number => low + (high - low) * rng.next();
export const logBetween = (rng: Draw, low: number, high: number): number =>
  Math.exp(between(rng, Math.log(low), Math.log(high)));
export const wholeBetween = (rng: Draw, low: number, high: number): number => Math.floor(between(rng, low, high + 1));
export function oneOf<T>(rng: Draw, choices: readonly T[]): T {
  return choices[Math.floor(rng.next() * choices.length)] as T;
}

const digits = (value: number, places = 2): number => Number(value.toFixed(places));

const MOST_CORES = 24;

export function drawPipeline(rng: Draw, name: string): DrawnPipeline {
  const { names, edges } = drawGraph(rng);
  const stages = names.map((stage) => drawStage(rng, stage, names.length > 3 ? 2 : 3));
  const itemsOf = itemsPerRequest(names, edges);
  const fastestMs = stages.map(({ variants }) => variants[0]?.profile[0]?.meanMs ?? 1);
  const coreMs = names.reduce((sum, stage, i) => sum + (itemsOf.get(stage) ?? 0) * (fastestMs[i] as number), 0);
  const arrivalRps = digits(Math.min(logBetween(rng, 8, 60), (1000 * 0.6 * MOST_CORES) / 3 / coreMs), 1);
  const usedCores = (arrivalRps * coreMs) / 1000 / 0.6;
  const budgetCores = Math.min(MOST_CORES, Math.ceil(usedCores * between(rng, 1.5, 3) + stages.length));
  const slo = {
    latencyMs: 10 * Math.ceil((between(rng, 4, 9) * fastestMs.reduce((sum, ms) => sum + ms, 0)) / 10),
    percentile: oneOf(rng, [95, 98, 99]),
  };
  const spec = {
    slo,
    budget: { cpuCores: budgetCores },
    stages,
    edges,
    ...endingsOf(names, edges),
    ...tableOf(stages, edges),
  };
  const file = { apiVersion: 'equipoise.dev/v1alpha1', kind: 'InferencePipeline', metadata: { name }, spec };
  return { name, slo, budgetCores, usedCores, arrivalRps, stages, edges, file };
}

function drawGraph(rng: Draw): { readonly names: readonly string[]; readonly edges: readonly DrawnEdge[] } {
  const shape = oneOf(rng, ['chain', 'fan-out', 'fork', 'cascade']);
  const length = shape === 'chain' ? wholeBetween(rng, 2, 4) : wholeBetween(rng, 3, 4);
  const names = ['a', 'b', 'c', 'd'].slice(0, length);
  const chain = names.slice(1).map((to, i): DrawnEdge => ({ from: names[i] as string, to }));
  const special = wholeBetween(rng, 0, chain.length - 1);
  switch (shape) {
    case 'fan-out': {
      const fanOut = { expected: digits(between(rng, 1.5, 4), 1) };
      return { names, edges: chain.map((edge, i) => (i === special ? { ...edge, fanOut } : edge)) };
    }
    case 'fork':
      return { names, edges: chain.map((edge) => (edge.to === 'c' ? { from: 'a', to: 'c' } : edge)) };
    case 'cascade': {
      const when = { condition: 'output.unsure > 0.5', probability: digits(between(rng, 0.15, 0.5)) };
      return { names, edges: chain.map((edge, i) => (i === chain.length - 1 ? { ...edge, when } : edge)) };
    }
    default:
      return { names, edges: chain };
  }
}

/** The first variant is the fastest one; each further one is slower and more accurate. */
function drawStage(rng: Draw, name: string, mostVariants: number): DrawnStage {
  const fastestMs = logBetween(rng, 4, 70);
  const count = wholeBetween(rng, 1, mostVariants);
  const cores = oneOf(rng, [[1], [1, 2]]);
  const exponent = between(rng, 0.7, 0.95);
  const speedUp = between(rng, 0.5, 0.7);
  const loadMs = Math.round(logBetween(rng, 200, 2000));
  const spread = between(rng, 1.2, 1.8);
  let meanMs = fastestMs;
  const variants: DrawnVariant[] = [];
  for (let i = 0; i < count; i++) {
    const own = meanMs;
    variants.push({
      name: `v${i + 1}`,
      loadMs,
      resources: { cpuCores: cores },
      accuracy: { value: digits(0.8 + 0.06 * i) },
      profile: cores.flatMap((cpuCores) =>
        [1, 4, 8].map((batchSize) =>
          pointOf(
            { cpuCores, batchSize, meanMs: own * batchSize ** exponent * (cpuCores === 1 ? 1 : speedUp) },
            spread,
          ),
        ),
      ),
    });
    meanMs *= between(rng, 1.4, 2.5);
  }
  return { name, variants };
}

/** `spread`: p99 ÷ mean of one item. Batches vary less. */
function pointOf(point: Pick<DrawnPoint, 'cpuCores' | 'batchSize' | 'meanMs'>, spread: number): DrawnPoint {
  const above = (spread - 1) / Math.sqrt(point.batchSize);
  return {
    ...point,
    meanMs: digits(point.meanMs),
    p50Ms: digits(point.meanMs * (1 - above / 20)),
    p95Ms: digits(point.meanMs * (1 + above * 0.6)),
    p99Ms: digits(point.meanMs * (1 + above)),
  };
}

function itemsPerRequest(names: readonly string[], edges: readonly DrawnEdge[]): ReadonlyMap<string, number> {
  const items = new Map<string, number>([[names[0] as string, 1]]);
  for (const { from, to, fanOut, when } of edges)
    items.set(to, (items.get(from) ?? 0) * (fanOut?.expected ?? when?.probability ?? 1));
  return items;
}

/** The stages without a later one, and the stage whose answer counts if the cascade ends early. */
function endingsOf(names: readonly string[], edges: readonly DrawnEdge[]) {
  const last = names.filter((name) => edges.every(({ from }) => from !== name)).map((from) => ({ from }));
  const early = edges.filter(({ when }) => when !== undefined).map(({ from, to }) => ({ from, unless: to }));
  return { outputs: [...early, ...last] };
}

/** A cascade needs the accuracy of whole combinations. */
function tableOf(stages: readonly DrawnStage[], edges: readonly DrawnEdge[]) {
  if (edges.every(({ when }) => when === undefined)) return {};
  const combinations = stages.reduce<readonly { variants: Record<string, string>; accuracy: number }[]>(
    (all, { name, variants }) =>
      all.flatMap(({ variants: chosen, accuracy }) =>
        variants.map((each) => ({
          variants: { ...chosen, [name]: each.name },
          accuracy: digits(accuracy * (0.9 + each.accuracy.value / 10), 4),
        })),
      ),
    [{ variants: {}, accuracy: 0.95 }],
  );
  return { accuracyTable: { combinations } };
}
