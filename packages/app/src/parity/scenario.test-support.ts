/**
 * Scenarios as data for simulator and data plane. `randomScenario` draws pipelines, plans, loads, changes, faults and
 * clients from a seed; many times are integers, so that events coincide.
 */
import {
  omittedNodes,
  type PipelineSpec,
  type Plan,
  type Rng,
  SeededRng,
  type StageId,
  type StagePlan,
  type StageSpec,
  type VariantId,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import { requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import { priorityMix, randomFaults, type simulatePlan } from '@equipoise/core/simulate';
import { randomGraph } from './random-graph.test-support.js';

type SimulationInput = Parameters<typeof simulatePlan>[0];
export type FaultSchedule = NonNullable<SimulationInput['faults']>;
export type ReplicaFault = ReturnType<FaultSchedule['faultsOf']>[number];

/** Input of simulator and data plane. */
export interface Scenario {
  readonly seed: number;
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  /**
   * Service curves of drop rules, one per tick. The first holds from the start, the last until the end. Default
   * `curves`.
   */
  readonly believedCurves?: readonly ServiceCurves[];
  readonly plan: Plan;
  /** Instants in ms, ascending. */
  readonly arrivals: readonly number[];
  readonly hostCores: number;
  /** At each tick without a change under way, the next plan is applied. */
  readonly nextPlans: readonly Plan[];
  readonly tickMs: number;
  readonly loadMs: (stageId: StageId, variantId: VariantId) => number;
  readonly faults?: FaultSchedule;
  readonly clients?: NonNullable<SimulationInput['clients']>;
  /** Later arrivals are dropped as draining. */
  readonly drainsAtMs?: number;
}

/** Service curves of drop rules after `ticks` ticks. */
export function believedAt({ curves, believedCurves = [] }: Scenario, ticks: number): ServiceCurves {
  return believedCurves[ticks] ?? believedCurves.at(-1) ?? curves;
}

const oneOf = <T>(rng: Rng, values: readonly T[]): T => values[Math.floor(rng.next() * values.length)] as T;

/** Variant whose batches of 1 and 8 take these times in ms (constant without `spread`). */
export function variantOf(
  name: string,
  times: { readonly one: number; readonly eight: number; readonly spread?: number },
): VariantSpec {
  const point = (batchSize: number, meanMs: number) => ({
    cpuCores: 1,
    batchSize,
    meanMs,
    ...(times.spread === undefined ? {} : { p99Ms: meanMs * times.spread }),
  });
  const points = [point(1, times.one), point(8, times.eight)];
  return {
    id: variantId(name),
    cpuCores: [0.5, 0.75, 1, 2],
    memoryBytes: 0,
    gpus: 0,
    profile: [...points, ...points.map((one) => ({ ...one, cpuCores: 2 }))],
    parameters: {},
  };
}

export function stagePlanOf(over: Partial<StagePlan> & { readonly cpuCores?: number }): StagePlan {
  const { cpuCores = 1, ...rest } = over;
  return {
    variantId: variantId('v'),
    resources: { cpuCores, memoryBytes: 0, gpus: 0 },
    maxBatchSize: 1,
    maxBatchWaitMs: 0,
    replicas: 1,
    trafficFraction: 1,
    ...rest,
  };
}

/** Plan of stages in order; a missing plan repeats the last one. */
export function planOfStages(spec: Pick<PipelineSpec, 'stages'>, plans: readonly StagePlan[]): Plan {
  return {
    stages: Object.fromEntries(spec.stages.map(({ id }, index) => [id, [plans[index] ?? (plans.at(-1) as StagePlan)]])),
    predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

export function stageOf(id: StageId, variants: readonly VariantSpec[]): StageSpec {
  return { id, kind: 'transform', variants, bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 50 }, pins: {} };
}

/** Scenario of a spec with defaults: one plan, no faults, starts take 10 ms. */
export function scenarioOf(
  spec: PipelineSpec,
  over: Pick<Scenario, 'plan' | 'arrivals'> & Partial<Scenario>,
): Scenario {
  return {
    seed: 1,
    spec,
    curves: requireCurves(spec, []),
    hostCores: Number.POSITIVE_INFINITY,
    nextPlans: [],
    tickMs: 25,
    loadMs: () => 10,
    ...over,
  };
}

/** Spec of a graph; SLO 100 ms, queues of 100. */
export function specOf(
  graph: Pick<PipelineSpec, 'edges' | 'outputs'> & { readonly entry: StageId },
  stages: readonly StageSpec[],
  over: Partial<PipelineSpec> = {},
): PipelineSpec {
  return {
    name: 'parity',
    baseDir: '.',
    slo: { latencyMs: 100, percentile: 99 },
    budget: {},
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: [graph.entry], tensors: [] }],
    stages,
    edges: graph.edges,
    outputs: graph.outputs,
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 100 },
    ...over,
  };
}

export function randomScenario(seed: number): Scenario {
  const rng = new SeededRng(seed).fork('scenario');
  const graph = randomGraph(rng.fork('graph'), 1 + Math.floor(rng.next() * 7), seed % 4 === 0);
  const stages = graph.stages.map((id) => ({
    ...stageOf(id, [randomVariant('v', rng), randomVariant('w', rng)]),
    idempotent: rng.fork(`idempotent/${id}`).next() < 0.8,
  }));
  const isTight = rng.next() < 0.5;
  const spec = specOf(graph, stages, {
    slo: { latencyMs: Math.round((isTight ? 15 : 60) + rng.next() * 40 * stages.length), percentile: 99 },
    admission: {
      maxQueueLength: oneOf(rng, [3, 10, 1000]),
      ...oneOf(rng.fork('wait'), [{}, { maxWaitFraction: 0.7 }]),
      ...oneOf(rng.fork('margin'), [{}, { answerMarginMs: 5 }, { answerMarginMs: 30 }]),
      ...oneOf(rng.fork('priorities'), [{}, {}, { priorities: { shares: [0, 0, 0.3, 0.1], default: 3 } }]),
    },
    budget: rng.next() < 0.5 ? {} : { cpuCores: 2 * stages.length + Math.floor(rng.next() * 4) },
    control: {
      mode: 'auto',
      intervalMs: 10_000,
      minDwellMs: 0,
      canary: false,
      ...oneOf(rng, [{}, {}, { surgeCpuCores: 0 }, { surgeCpuCores: 3 }]),
    },
  });
  const startMs = Math.floor(rng.next() * 30);
  return scenarioOf(spec, {
    seed,
    plan: randomPlan(spec, rng, 0),
    arrivals: randomArrivals(rng),
    hostCores: oneOf(rng, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 2, 3]),
    nextPlans: Array.from({ length: Math.floor(rng.next() * 4) }, (_, i) => randomPlan(spec, rng, i + 1)),
    tickMs: 20 + Math.floor(rng.next() * 60),
    loadMs: (_stageId, variant) => (variant === variantId('v') ? startMs : 2 * startMs),
    ...(rng.next() < 0.4 ? { faults: faultsFor(rng) } : {}),
    ...(rng.next() < 0.3 ? { clients: clientsFor(rng.fork('clients')) } : {}),
    ...(rng.next() < 0.15 ? { drainsAtMs: Math.floor(rng.next() * 400) } : {}),
  });
}

function randomVariant(name: string, rng: Rng): VariantSpec {
  const one = 1 + Math.floor(rng.next() * 15);
  const eight = one * oneOf(rng, [1, 2, 4, 8]);
  return rng.next() < 0.5 ? variantOf(name, { one, eight }) : variantOf(name, { one, eight, spread: 1.5 + rng.next() });
}

function randomPlan(spec: PipelineSpec, rng: Rng, number: number): Plan {
  const omitted = randomOmissions(spec, rng.fork(`omitted/${number}`));
  const choose = () =>
    stagePlanOf({
      variantId: variantId(oneOf(rng, ['v', 'v', 'w'])),
      cpuCores: oneOf(rng, [0.5, 0.75, 1, 1, 2]),
      maxBatchSize: oneOf(rng, [1, 4, 8]),
      maxBatchWaitMs: oneOf(rng, [0, 0, 3, 10]),
      replicas: 1 + Math.floor(rng.next() * 3),
    });
  return planOfStages(
    spec,
    spec.stages.map(({ id }) => (omitted.has(id) ? { ...choose(), replicas: 0 } : choose())),
  );
}

/** Nodes that go with a random set of stages; none if a join or an output needs them. */
function randomOmissions(spec: PipelineSpec, rng: Rng): ReadonlySet<StageId> {
  const drawn = spec.stages.filter(() => rng.next() < 0.2).map(({ id }) => id);
  return omittedNodes(spec, drawn) ?? new Set();
}

function randomArrivals(rng: Rng): readonly number[] {
  const gapMs = oneOf(rng, [1, 3, 8, 20]);
  const whole = rng.next() < 0.5;
  let atMs = 0;
  return Array.from({ length: 40 + Math.floor(rng.next() * 60) }, () => {
    atMs += -Math.log(1 - rng.next()) * gapMs;
    return whole ? Math.round(atMs) : atMs;
  });
}

function faultsFor(rng: Rng): FaultSchedule {
  const perHour = (meanMs: number) => 3_600_000 / meanMs;
  return randomFaults(
    {
      crashesPerHour: oneOf(rng, [0, perHour(300), perHour(80)]),
      hangsPerHour: oneOf(rng, [0, perHour(1_000)]),
      slowdownsPerHour: oneOf(rng, [0, perHour(200)]),
      slowMs: 100,
      slowFactor: 3,
      startFailureFraction: oneOf(rng, [0, 0.2]),
      failingSpellsPerHour: oneOf(rng, [0, perHour(150)]),
      failingMs: 100,
      poisonFraction: oneOf(rng.fork('poison'), [0, 0, 0.02, 0.1]),
    },
    rng.fork('faults'),
  );
}

function clientsFor(rng: Rng): NonNullable<SimulationInput['clients']> {
  return {
    timeoutMs: (sequence) => 10 + Math.floor(rng.fork(`timeout/${sequence}`).next() * 150),
    patienceMs: (sequence) => {
      const own = rng.fork(`patience/${sequence}`);
      return own.next() < 0.3 ? Math.floor(own.next() * 60) : Number.POSITIVE_INFINITY;
    },
    priority: priorityMix([0.2, 0.3, 0.3, 0.2], rng),
  };
}
