/** A control loop whose surroundings are all played: what it decides is given, changes are only counted, the store is in memory. */
import {
  type Certificate,
  type Change,
  type Decision,
  type DecisionEvidence,
  type DecisionRecord,
  LatencyHistogram,
  type Observation,
  type Plan,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import type { Actuator } from '@equipoise/core/ports';
import { MemoryPlanStore } from '@equipoise/testkit';
import type { SecondRecord } from '../data-plane/request-statistics.js';
import { ControlLoop, type ControlLoopParts } from './control-loop.js';
import { DecisionLog } from './decision-log.js';
import type { LoopEvent } from './loop-event.js';
import { OutcomeWatch } from './outcome-watch.js';
import { StandingFaults } from './standing-faults.js';

const target: StagePlan = {
  variantId: variantId('v'),
  resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  maxBatchSize: 1,
  maxBatchWaitMs: 0,
  replicas: 1,
  trafficFraction: 1,
};
export const plan: Plan = {
  stages: { [stageId('a')]: [target] },
  predicted: { latencyMs: 1, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 },
};
export const change: Change = { kind: 'set-batch', stageId: stageId('a'), to: target };
const certificate: Certificate = {
  claim: 'surrogate',
  theta: 1,
  kappa: 1,
  optimal: true,
  gapFraction: 0,
  upperBound: 1,
  gapToBoundFraction: 0,
  solver: 'test',
  elapsedMs: 1,
  labels: 1,
};
export const evidence: DecisionEvidence = {
  forecast: { method: 'test', meanRps: 1, upperRps: 1 },
  result: { kind: 'feasible', plan, objectiveValue: 1, certificate },
};
export const apply: Decision & { readonly kind: 'apply' } = {
  ...{ kind: 'apply', plan, changes: [change], reason: 'better', evidence },
};
export const observation: Observation = {
  atMs: 0,
  load: { arrivalsPerSecond: [] },
  stages: {},
  runningPlan: { stages: {} },
  staleSources: [],
};

/** Ten requests a second, each answered within 20 ms. */
const statistics = {
  recentSeconds: (_: number, count: number): readonly SecondRecord[] =>
    Array.from({ length: count }, (_each, second) => ({
      ...{ second, arrived: 10, completed: 10, withinSlo: 9, failed: 0 },
      dropped: {} as SecondRecord['dropped'],
    })),
  recentLatencies: () => {
    const latencies = new LatencyHistogram();
    latencies.record(20);
    return latencies;
  },
};

export type LoopOver = Partial<ControlLoopParts> & {
  readonly applyChange?: () => Promise<void>;
  readonly preempt?: () => void;
};

export class LoopBench {
  readonly applied: Change[] = [];
  readonly events: LoopEvent[] = [];
  readonly memory = new MemoryPlanStore();
  readonly faults: StandingFaults;
  readonly log: DecisionLog;
  readonly actuator: Actuator;
  readonly loop: ControlLoop;
  decisions = 0;
  intervalMs = 1000;

  constructor(over: LoopOver = {}) {
    const bench = this;
    const report = (event: LoopEvent) => void this.events.push(event);
    this.actuator = {
      runningPlan: () => observation.runningPlan,
      apply: async (next) => {
        await over.applyChange?.();
        this.applied.push(next);
      },
      preempt: () => void over.preempt?.(),
      close: async () => {},
    };
    this.faults = new StandingFaults(Date.now, report);
    const { faults } = this;
    this.log = new DecisionLog({ ...{ pipelineName: 'p', store: this.memory, faults, report }, lastId: 0 });
    this.loop = new ControlLoop({
      ...{ pipelineName: 'p', specDigest: 'd', setupDigest: 's', keepsPlans: true },
      mode: () => 'auto',
      clock: { nowMs: Date.now },
      epochNowMs: Date.now,
      observe: () => observation,
      decide: async ({ changing }) => {
        if (changing) return {};
        this.decisions += 1;
        return { decision: apply, trigger: 'plan' };
      },
      ...{ actuator: this.actuator, store: this.memory, log: this.log, faults, report },
      outcomes: new OutcomeWatch(
        {
          get nowMs() {
            return Date.now();
          },
          statistics,
        },
        99,
      ),
      onChanged: () => {},
      meanwhile: () => {},
      abandonPlan: () => {},
      onLearned: () => {},
      ...over,
      get intervalMs() {
        return bench.intervalMs;
      },
    });
  }

  /** Observation of every tick. */
  readonly seen = observation;

  /** Kinds of what was told, without what is known later. */
  get kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind).filter((kind) => kind !== 'amended');
  }

  /** Good plans that were kept, oldest first. */
  async saved(): Promise<readonly Plan[]> {
    await this.loop.settled();
    return (await this.memory.goodPlans('p', 99)).map((good) => good.plan).reverse();
  }

  /** The log, oldest first. */
  async records(): Promise<readonly DecisionRecord[]> {
    await this.loop.settled();
    return (await this.memory.decisions('p', { limit: 99 })).toReversed();
  }
}
