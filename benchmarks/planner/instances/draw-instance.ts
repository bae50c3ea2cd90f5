/**
 * Planning instances from a seed text. Written without a look at the planner, so that its answers are tested on inputs
 * that were not made for it. Final seeds come from a commit hash and are not used for tuning.
 */
import { createHash } from 'node:crypto';
import { SeededRng } from '@equipoise/core/model';
import { withBindingLimits } from './binding-limits.js';
import { Draw, significant } from './draw.js';
import { type DrawnGraph, drawGraph } from './draw-graph.js';
import { type CoreMode, type DrawnVariant, drawVariants } from './draw-variants.js';
import type { Instance } from './instance.js';
import { type RoughPlan, roughPlan } from './rough-plan.js';

/** Fraction of instances with binding limits; the others keep the limits of the rough plan. */
const BINDING_FRACTION = 0.8;
const LEAST_SCALE_MS = 1;
const MOST_SCALE_MS = 3000;
/** Shares of a core serve only short work. */
const MOST_SHARE_SCALE_MS = 120;
const BATCHES: readonly (readonly number[])[] = [
  [1],
  [1, 2, 4],
  [1, 4, 8],
  [1, 2, 4, 8, 16],
  [1, 2, 4, 8, 16, 32],
  [1, 3, 6, 12],
  [2, 4, 8],
];
const SMALL_BATCHES: readonly (readonly number[])[] = [[1], [1, 4], [1, 2, 4], [1, 8]];

export function instanceSeed(seedFrom: string): number {
  return createHash('sha256').update(`planner instances ${seedFrom}`).digest().readUInt32BE(0);
}

export function drawInstance(seedFrom: string, index: number): Instance {
  const draw = new Draw(new SeededRng(instanceSeed(seedFrom)).fork(`instance ${index}`));
  const small = draw.chance(0.4);
  const graph = drawGraph(draw.fork('graph'), small);
  const coreMode = draw.weighted({ single: 30, whole: 30, shares: 25, mixed: 15 });
  const variants = variantsOf(draw.fork('variants'), graph, { small, coreMode });
  const percentile = draw.pick([90, 95, 99, 99, 99, 99.5, 99.9]);
  const busyCores =
    coreMode === 'shares' ? draw.logUniform(0.05, 2) : small ? draw.logUniform(0.3, 4) : draw.logUniform(0.4, 12);
  const rough = roughPlan(draw.fork('rough plan'), {
    stages: graph.stages,
    variants,
    flow: graph.flow,
    percentile,
    busyCores,
  });
  const limits = limitsOf(draw.fork('limits'), rough, { coreMode, percentile });
  const stages = graph.stages.map(({ name, kind }) => ({
    name,
    kind,
    ...boundsOf(draw.fork(`bounds ${name}`), variants.get(name) ?? []),
    variants: variants.get(name),
  }));
  const spec = {
    ...limits.spec,
    stages,
    edges: graph.edges,
    ...(graph.outputs && { outputs: graph.outputs }),
    ...accuracyTableOf(draw.fork('table'), graph, variants),
    ...objectiveOf(draw.fork('objective'), rough, accuracyOf(graph, variants, rough.choice)),
  };
  const name = `${graph.family}-${index}`;
  const drawn: Instance = {
    name,
    family: graph.family,
    small,
    coreMode,
    document: { apiVersion: 'equipoise.dev/v1alpha1', kind: 'InferencePipeline', metadata: { name }, spec },
    arrivalRps: rough.arrivalRps,
    ...(limits.nodeCores && { nodeCores: limits.nodeCores }),
    flow: graph.flow,
    loads: Object.fromEntries(graph.stages.map(({ name: id, visits, groupSize }) => [id, { visits, groupSize }])),
  };
  const binding = draw.fork('binding limits');
  return binding.chance(BINDING_FRACTION) ? withBindingLimits(binding, drawn, rough.choice) : drawn;
}

function variantsOf(
  draw: Draw,
  { stages }: DrawnGraph,
  { small, coreMode }: { readonly small: boolean; readonly coreMode: CoreMode },
): ReadonlyMap<string, readonly DrawnVariant[]> {
  const most = coreMode === 'shares' || coreMode === 'mixed' ? MOST_SHARE_SCALE_MS : MOST_SCALE_MS;
  const scaleMs = draw.logUniform(LEAST_SCALE_MS, most);
  const tailRatio = draw.uniform(1, 4);
  const hasMemory = draw.chance(0.12);
  return new Map(
    stages.map(({ name, kind }) => {
      const ofStage = draw.fork(name);
      const count =
        kind === 'transform' ? ofStage.integer(1, 2) : small ? ofStage.integer(2, 3) : ofStage.integer(2, 8);
      const own = Math.min(most, Math.max(LEAST_SCALE_MS, scaleMs * ofStage.logUniform(0.2, 3)));
      return [
        name,
        drawVariants(ofStage, {
          kind,
          count,
          scaleMs: kind === 'transform' ? Math.max(LEAST_SCALE_MS, own * 0.2) : own,
          coreMode,
          batchSizes: ofStage.pick(small ? SMALL_BATCHES : BATCHES),
          tailRatio,
          hasMemory,
        }),
      ];
    }),
  );
}

function boundsOf(draw: Draw, variants: readonly DrawnVariant[]): { readonly bounds?: Record<string, unknown> } {
  const replicas = draw.weighted({ none: 60, few: 15, many: 20, several: 5 });
  const limits = { none: undefined, few: { max: draw.integer(2, 4) }, many: { max: 20 }, several: { min: 2, max: 12 } };
  const sizes = [...new Set(variants.flatMap(({ profile }) => profile.map(({ batchSize }) => batchSize)))];
  const restricted = sizes.length > 2 && draw.chance(0.1) ? { batchSizes: sizes.slice(0, -1) } : {};
  const range = limits[replicas];
  const bounds = { ...(range && { replicas: range }), ...restricted };
  return Object.keys(bounds).length === 0 ? {} : { bounds };
}

interface Limits {
  readonly spec: Record<string, unknown>;
  readonly nodeCores?: readonly number[];
}

/** SLO and budget around those of the rough plan, so that they bind. */
function limitsOf(
  draw: Draw,
  rough: RoughPlan,
  { coreMode, percentile }: { readonly coreMode: CoreMode; readonly percentile: number },
): Limits {
  const latencyMs = Math.max(2, significant(rough.latencyMs * draw.logUniform(0.6, 2.4), 3));
  const wantedCores = rough.cpuCores * draw.logUniform(0.7, 1.7);
  const step = coreMode === 'shares' || coreMode === 'mixed' ? 0.05 : draw.chance(0.2) ? 0.5 : 1;
  const cpuCores = Number((Math.max(1, Math.round(wantedCores / step)) * step).toFixed(2));
  const memory =
    rough.memoryBytes > 0 ? { memoryBytes: Math.round(rough.memoryBytes * draw.logUniform(0.8, 2.5)) } : {};
  const prices = rough.memoryBytes > 0 && draw.chance(0.5) ? { prices: { memoryGibPerHour: 0.12 } } : {};
  const nodeCores = draw.chance(0.15) ? nodesOf(draw, cpuCores, rough.largestReplica) : undefined;
  return {
    spec: { slo: { latencyMs, percentile }, budget: { cpuCores, ...memory }, ...prices },
    ...(nodeCores && { nodeCores }),
  };
}

function nodesOf(draw: Draw, cpuCores: number, largestReplica: number): readonly number[] {
  const nodes: number[] = [];
  let left = cpuCores;
  while (left > 0 && nodes.length < 12) {
    const size = Math.max(Math.ceil(largestReplica), draw.pick([1, 2, 2, 3, 4, 4, 8]));
    nodes.push(size);
    left -= size;
  }
  return nodes;
}

type Choice = Readonly<Record<string, string>>;

const accuracyOfVariant = (variants: readonly DrawnVariant[] | undefined, name: string | undefined): number =>
  variants?.find((variant) => variant.name === name)?.accuracy?.value ?? 1;

/** Product of the accuracies, which is close enough to set a floor. */
function accuracyOf(graph: DrawnGraph, variants: ReadonlyMap<string, readonly DrawnVariant[]>, choice: Choice): number {
  const stages = graph.stages.filter(({ name }) => graph.joint?.[1] !== name);
  return stages.reduce((product, { name, visits }) => {
    const value = accuracyOfVariant(variants.get(name), choice[name]);
    return product * (visits < 1 ? 1 - visits + visits * value : value);
  }, 1);
}

function accuracyTableOf(
  draw: Draw,
  { stages, joint, escalation = 0 }: DrawnGraph,
  variants: ReadonlyMap<string, readonly DrawnVariant[]>,
): Record<string, unknown> {
  if (joint === undefined) return {};
  const [first, last] = joint;
  const isPartial = draw.chance(0.2);
  const combinations = (variants.get(first) ?? []).flatMap((cheap) =>
    (variants.get(last) ?? []).map((strong) => {
      const alone = cheap.accuracy?.value ?? 1;
      const rescued = (strong.accuracy?.value ?? 1) - alone;
      const gain = rescued > 0 ? rescued * Math.min(1, escalation * draw.uniform(1.2, 2.5)) : rescued * escalation;
      const noise = draw.chance(0.3) ? 0 : draw.uniform(-0.004, 0.004);
      const accuracy = Number(Math.min(0.999, Math.max(0.01, alone + gain + noise)).toFixed(draw.pick([2, 3, 4])));
      const of: Record<string, string> = { [first]: cheap.name, [last]: strong.name };
      return { variants: of, accuracy };
    }),
  );
  const measured = isPartial ? combinations.filter(() => draw.chance(0.7)) : combinations;
  const others = stages.filter(({ name }) => !joint.includes(name));
  const kept = others.reduce(
    (table, { name }) =>
      table.flatMap(({ variants: of, accuracy }) =>
        (variants.get(name) ?? []).map((other) => ({ variants: { ...of, [name]: other.name }, accuracy })),
      ),
    measured,
  );
  return kept.length === 0 ? {} : { accuracyTable: { combinations: kept } };
}

function objectiveOf(draw: Draw, rough: RoughPlan, accuracy: number): Record<string, unknown> {
  const objective = draw.weighted({ accuracy: 50, cost: 35, weights: 15 });
  if (objective === 'accuracy') return { objective: 'max-accuracy' };
  if (objective === 'cost') {
    const floor = accuracy * (draw.chance(0.25) ? 1 : draw.uniform(0.88, 1.02));
    return { objective: 'min-cost', accuracyFloor: Number(Math.min(0.98, floor).toFixed(4)) };
  }
  const cost = significant((accuracy * draw.logUniform(0.03, 0.6)) / rough.cpuCores, 3);
  return { objective: { weights: { accuracy: 1, cost, batch: draw.pick([0, 1e-6, 1e-3]) } } };
}
