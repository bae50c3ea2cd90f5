/** A control loop with fake dependencies: scripted decisions, counted changes, and a store in memory. */
import type { Tick, TickAnswer } from '@equipoise/core/control';
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
import { ControlLoop, type ControlLoopDeps } from './control-loop.js';
import { DecisionLog } from './decision-log.js';
import { ActiveFaults, type LoopEvent } from './loop-event.js';
import { OutcomeTracker } from './outcome-tracker.js';
import { type Planner, PlanPreempted } from './planner.js';
import type { PlanningTask } from './planning-session.js';

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

/** Ten requests per second, nine within the SLO; latency 20 ms. */
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

export type Circumstances = Omit<Tick, 'observation' | 'pins'>;

/** A planner that answers with `decide` unless it is preempted. */
export class PlannerFake {
  preempted = 0;
  readonly #decide: NonNullable<LoopOver['decide']>;
  readonly #shown: () => void;
  #reject: (error: Error) => void = () => {};

  constructor(decide: NonNullable<LoopOver['decide']>, shown = (): void => {}) {
    this.#decide = decide;
    this.#shown = shown;
  }

  readonly ask = (async (task: PlanningTask) => {
    if (task.kind !== 'tick') throw new Error(`The planner was asked for ${task.kind}.`);
    const { kind: _, observation: seen, pins: __, ...circumstances } = task;
    const preempted = new Promise<never>((_resolve, reject) => {
      this.#reject = reject;
    });
    return Promise.race([this.#decide(seen, circumstances), preempted]);
  }) as Planner['ask'];

  show(): void {
    this.#shown();
  }

  preempt(): void {
    this.preempted += 1;
    this.#reject(new PlanPreempted());
  }
}

export type LoopOver = Partial<ControlLoopDeps> & {
  /** The answer of the planner to an observation. */
  readonly decide?: (observation: Observation, circumstances: Circumstances) => Promise<TickAnswer>;
  /** Called for each observation shown during planning. */
  readonly shown?: () => void;
  readonly applyChange?: () => Promise<void>;
  readonly preempt?: () => void;
};

export class LoopBench {
  readonly applied: Change[] = [];
  readonly events: LoopEvent[] = [];
  readonly memory = new MemoryPlanStore();
  readonly faults: ActiveFaults;
  readonly log: DecisionLog;
  readonly actuator: Actuator;
  readonly planner: PlannerFake;
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
      endCanary: () => false,
      close: async () => {},
    };
    this.faults = new ActiveFaults(Date.now, report);
    const { faults } = this;
    this.log = new DecisionLog({ ...{ pipelineName: 'p', store: this.memory, faults, report }, lastId: 0 });
    this.planner = new PlannerFake(
      over.decide ??
        (async ({ changing }) => {
          if (changing) return {};
          this.decisions += 1;
          return { decision: apply, trigger: 'plan' };
        }),
      over.shown,
    );
    this.loop = new ControlLoop({
      ...{ specDigest: 'd', setupDigest: 's', keepsPlans: true },
      mode: () => 'auto',
      pins: () => ({}),
      clock: { nowMs: Date.now },
      epochNowMs: Date.now,
      look: () => observation,
      observe: () => observation,
      planner: this.planner,
      ...{ actuator: this.actuator, log: this.log, faults, report },
      outcomes: new OutcomeTracker(
        {
          get nowMs() {
            return Date.now();
          },
          statistics,
        },
        99,
      ),
      onChanged: () => {},
      onLearned: () => {},
      ...over,
      get intervalMs() {
        return bench.intervalMs;
      },
    });
  }

  /** Observation at each tick. */
  readonly seen = observation;

  /** Kinds of reported events, without `amended`. */
  get kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind).filter((kind) => kind !== 'amended');
  }

  /** Saved good plans, oldest first. */
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
