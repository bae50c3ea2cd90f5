/** A pipeline of one stage under manual control, with immediate changes and given plans. */
import {
  type PipelineSpec,
  type Plan,
  type PlanResult,
  type RunningPlan,
  replicaId,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { estimateStages, type Frontier, requireCurves } from '@equipoise/core/plan';
import type { Actuator } from '@equipoise/core/ports';
import { evidence, LoopBench, observation } from './control-loop.test-support.js';
import { PipelineControl, type PipelineControlDeps, type PlanQuery } from './pipeline-control.js';

export const a = stageId('a');

const NO_FACTORS = { toleranceFraction: 0, omittedPoints: 0 };

const variant = (id: string, accuracy: number) => ({
  ...{ id: variantId(id), accuracy: { value: accuracy, metric: 'f1' }, cpuCores: [1, 2], memoryBytes: 0, gpus: 0 },
  profile: [1, 2].flatMap((cpuCores) =>
    [1, 2].map((batchSize) => ({ cpuCores, batchSize, meanMs: 10 * batchSize, p99Ms: 12 * batchSize })),
  ),
  parameters: {},
});

export const controlledSpec: PipelineSpec = {
  name: 'p',
  baseDir: '.',
  slo: { latencyMs: 300, percentile: 99 },
  budget: { cpuCores: 6 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [{ name: 'input', to: [a], tensors: [] }],
  stages: [
    {
      ...{ id: a, kind: 'model', pins: {} },
      variants: [variant('small', 0.6), variant('large', 0.8)],
      bounds: { minReplicas: 1, maxReplicas: 4, maxBatchWaitMs: 0, batchSizes: [1, 2] },
    },
  ],
  edges: [],
  outputs: [{ from: a }],
  control: { mode: 'auto', intervalMs: 1000, minDwellMs: 0 },
  admission: { maxQueueLength: 100 },
};

export function planWith(id: string, replicas: number): Plan {
  const stage: StagePlan = {
    variantId: variantId(id),
    resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
    ...{ maxBatchSize: 1, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
  };
  const predicted = { latencyMs: 12, percentile: 99, pas: 0.6, capacityRps: 50, cpuCores: replicas, costPerHour: 1 };
  return { stages: { [a]: [stage] }, predicted };
}

/** The control with its loop, a log and a store in memory. */
export class ControlBench {
  readonly bench: LoopBench;
  readonly control: PipelineControl;
  readonly queries: PlanQuery[] = [];
  /** Arrival rates of all requested frontiers. */
  readonly frontiers: number[] = [];
  /** Arrival rates of all requested estimates. */
  readonly estimated: number[] = [];
  /** Observed requests of each second. */
  arrivalsPerSecond: readonly number[] = [];
  running: RunningPlan = { stages: {} };
  /** Outcome of the next changes. */
  change: () => Promise<void> = async () => {};
  preempted: () => void = () => {};
  readonly actuator: Actuator = {
    runningPlan: () => this.running,
    apply: async ({ to }) => {
      await this.change();
      this.#run(to);
    },
    preempt: () => this.preempted(),
    endCanary: (pinned) => {
      const tried = this.running.stages[a]?.canary;
      if (tried === undefined || tried.variantId === pinned?.variantId) return false;
      this.#run(planWith('small', 1).stages[a]?.[0] as StagePlan);
      this.preempted();
      return true;
    },
    close: async () => {},
  };

  constructor(over: Partial<PipelineControlDeps> = {}) {
    this.#run(planWith('small', 1).stages[a]?.[0] as StagePlan);
    this.bench = new LoopBench({ mode: () => this.control.mode, actuator: this.actuator });
    const { loop, log, memory, faults, events } = this.bench;
    const curves = requireCurves(controlledSpec, []);
    this.control = new PipelineControl({
      ...{ specDigest: 'd', setupDigest: 's', mode: 'auto', pins: {}, isFixed: false, follows: false },
      ...{ loop, log, store: memory, faults, actuator: this.actuator },
      ...{ curves, profiles: [] },
      epochNowMs: Date.now,
      look: () => ({ ...observation, load: { arrivalsPerSecond: this.arrivalsPerSecond }, runningPlan: this.running }),
      plan: async (query): Promise<PlanResult> => {
        this.queries.push(query);
        return { ...evidence.result, plan: planWith('large', 2) } as PlanResult;
      },
      frontier: async (arrivalRps) => {
        const { stages, predicted } = planWith('large', 2);
        const point = { pas: 0.6, costPerHour: 1, cpuCores: 2, plan: { stages, predicted } };
        this.frontiers.push(arrivalRps);
        return { ...{ kind: 'frontier', points: [point], complete: true }, ...NO_FACTORS } as unknown as Frontier;
      },
      estimate: async (stages, arrivalRps) => {
        this.estimated.push(arrivalRps);
        return estimateStages({ spec: controlledSpec, curves }, stages, arrivalRps);
      },
      report: (event) => void events.push(event),
      ...over,
      get spec() {
        return over.spec ?? controlledSpec;
      },
    });
  }

  /** Running variant and replicas. */
  get runs(): string {
    const replicas = this.running.stages[a]?.replicas ?? [];
    return `${replicas.length} ${replicas[0]?.variantId}`;
  }

  /** Logs an entry, as the loop does in mode `advise`. */
  advised(plan: Plan, setupDigest = 's'): number {
    const decision = { kind: 'apply' as const, plan, changes: [], reason: 'better', evidence };
    const entry = { atEpochMs: 1, trigger: 'plan' as const, mode: 'advise' as const, setupDigest };
    return this.bench.log.append({ ...entry, observation, decision }).record.id;
  }

  #run({ variantId: id, resources, replicas, maxBatchSize, maxBatchWaitMs }: StagePlan): void {
    const all = Array.from({ length: replicas }, (_, index) => ({
      ...{ replicaId: replicaId(`${id}-${index}`), variantId: id, resources, status: 'ready' as const },
    }));
    this.running = { stages: { [a]: { replicas: all, maxBatchSize, maxBatchWaitMs } } };
  }
}
