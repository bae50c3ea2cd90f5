/**
 * Faults of the control plane, one by one: traffic continues with the plan in force, the fault is reported, and control
 * resumes afterwards.
 */
import { join } from 'node:path';
import { EmbeddedActuator, SyntheticReplicaLauncher } from '@equipoise/adapter-embedded';
import {
  type ControllerRules,
  ControlSession,
  controlPolicies,
  diffPlans,
  type Tick,
  usualGuardrails,
} from '@equipoise/core/control';
import { type Forecaster, smoothedRate } from '@equipoise/core/forecast';
import { type Decision, type Observation, type PipelineSpec, type RunningPlan, SeededRng } from '@equipoise/core/model';
import { type Policy, requireCurves } from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';
import {
  ActiveFaults,
  ControlLoop,
  DecisionLog,
  type LoopEvent,
  OutcomeTracker,
  PipelineRunner,
  type Planner,
} from '@equipoise/runtime';
import { ManualClock, MemoryPlanStore } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';

const HOUR_MS = 3_600_000;
const CALM_RPS = 20;
const HIGH_RPS = 70;
const INPUT = { datatype: 'FP32', shape: [1], data: Float32Array.from([1]) } as const;

/** Injected fault; default: none. */
interface Fault {
  readonly forecaster?: Forecaster;
  readonly plan?: Policy;
  readonly staleSources?: readonly string[];
  readonly clockMs?: number;
}

/** Pipeline of synthetic replicas with its loop; time advances by seconds. */
class Bench {
  readonly clock = new ManualClock();
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly events: LoopEvent[] = [];
  readonly faults: ActiveFaults;
  readonly ends = new Map<string, number>();
  fault: Fault = {};
  readonly #spec: PipelineSpec;
  readonly #loop: ControlLoop;
  #ticking: Promise<void> = Promise.resolve();

  constructor(spec: PipelineSpec) {
    const { clock } = this;
    this.#spec = spec;
    this.runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY, clock });
    const curves = requireCurves(spec, []);
    const serviceMs = () => 5;
    this.actuator = new EmbeddedActuator(spec, {
      ...{ pool: this.runner, clock },
      launcher: new SyntheticReplicaLauncher({ serviceMs, rng: new SeededRng(1), clock }),
    });
    const rules: ControllerRules = {
      ...{ spec, profiles: [], curves, guardrails: usualGuardrails },
      verifierAt: verifiersOf({ spec, curves, hostCores: 4, seed: 1, workStageRequests: 5000 }),
      policy: {
        ...controlPolicies.equipoise,
        plan: (...question) => (this.fault.plan ?? controlPolicies.equipoise.plan)(...question),
      },
      forecaster: (...asked) => (this.fault.forecaster ?? smoothedRate)(...asked),
    };
    const session = new ControlSession(rules);
    const report = (event: LoopEvent) => void this.events.push(event);
    const nowMs = () => clock.nowMs() + (this.fault.clockMs ?? 0);
    const store = new MemoryPlanStore();
    this.faults = new ActiveFaults(nowMs, report);
    this.#loop = new ControlLoop({
      ...{ specDigest: 'spec', setupDigest: 'setup', intervalMs: 1000 },
      mode: () => 'auto',
      pins: () => ({}),
      clock: { nowMs },
      epochNowMs: nowMs,
      look: () => this.#observe(),
      observe: () => this.#observe(),
      planner: {
        ask: (async (tick: Tick) => session.tick({ ...tick, executes: true })) as unknown as Planner['ask'],
        show: () => {},
        preempt: () => {},
      },
      ...{ actuator: this.actuator, faults: this.faults, keepsPlans: true },
      log: new DecisionLog({ pipelineName: spec.name, store, faults: this.faults, report, lastId: 0 }),
      outcomes: new OutcomeTracker(this.runner, spec.slo.percentile),
      onChanged: () => {},
      onLearned: () => {},
      report,
    });
  }

  /** Applies the plan for the calm load. */
  async begin(): Promise<void> {
    const result = controlPolicies.equipoise.plan({
      ...{ spec: this.#spec, profiles: [], arrivalRps: CALM_RPS, estimator: 'distribution' },
    });
    if (result.kind !== 'feasible') throw new Error('a plan for the calm load');
    const limits = { budget: { cpuCores: 8 }, control: {} };
    const changes = diffPlans(this.runningPlan(), result.plan, limits).map((change) => this.actuator.apply(change));
    await this.clock.advanceTo(500);
    await Promise.all(changes);
    await this.clock.advanceTo(1000);
    this.runner.countAnew();
  }

  runningPlan(): RunningPlan {
    return this.actuator.runningPlan();
  }

  /** Serves `rps` for some seconds, with a tick of the loop in each. */
  async serve(seconds: number, rps: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      const startMs = this.clock.nowMs();
      for (let i = 0; i < rps; i++) {
        await this.clock.advanceTo(startMs + (1000 * i) / rps);
        void this.runner
          .submit({ input: INPUT })
          .then(({ kind }) => this.ends.set(kind, (this.ends.get(kind) ?? 0) + 1));
      }
      await this.clock.advanceTo(startMs + 1000);
      await this.#ticking;
      this.#ticking = this.#loop.tick();
    }
    await this.clock.advanceTo(this.clock.nowMs() + 50);
  }

  decisions(): readonly Decision[] {
    return this.events.flatMap((event) => (event.kind === 'decided' ? [event.record.decision] : []));
  }

  #observe(): Observation {
    const { staleSources = [], clockMs = 0 } = this.fault;
    const load = this.runner.statistics.load(this.runner.nowMs);
    const silent = { arrivalsPerSecond: load.arrivalsPerSecond.map(() => 0) };
    return {
      atMs: this.clock.nowMs() + clockMs,
      load: staleSources.length > 0 ? silent : load,
      stages: {},
      runningPlan: this.runningPlan(),
      staleSources,
    };
  }
}

const folder = new TestFolder();
let spec: PipelineSpec;

beforeAll(async () => {
  const control = 'control: { intervalMs: 10000, fastIntervalMs: 1000, canary: false }';
  folder.write('pipeline.yaml', syntheticPipeline({ cpuCores: 8, spec: control }));
  spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
});

afterAll(() => folder.remove());

const throws = (): never => {
  throw new Error('the solver broke');
};
const nan: Forecaster = () => ({ method: 'broken', meanRps: Number.NaN, upperRps: Number.NaN });
const atItsLimit: Policy = (problem, ...more) => controlPolicies.equipoise.plan({ ...problem, labelLimit: 1 }, ...more);

const replicasOf = ({ stages }: RunningPlan): readonly number[] =>
  Object.values(stages).map(({ replicas }) => replicas.length);

describe.each<[string, Fault, { readonly step: string; readonly names: RegExp } | undefined]>([
  ['the solver throws', { plan: throws }, { step: 'decide', names: /^the solver broke$/ }],
  ['the solver comes to its limit of work', { plan: atItsLimit }, undefined],
  ['the forecaster says NaN', { forecaster: nan }, { step: 'forecast', names: /^the forecast of broken is no number/ }],
  [
    'the source of load is silent',
    { staleSources: ['load'] },
    { step: 'observe', names: /^no fresh input from load$/ },
  ],
  ['the clock is an hour ahead', { clockMs: HOUR_MS }, undefined],
  ['the clock is set back by an hour', { clockMs: -HOUR_MS }, undefined],
])('while %s', (_, fault, named) => {
  it('traffic goes on, the fault is named, and what follows it is decided', { timeout: 120_000 }, async () => {
    const bench = new Bench(spec);
    await bench.begin();
    await bench.serve(25, CALM_RPS);
    const before = bench.runningPlan();
    bench.events.length = 0;
    bench.fault = fault;
    await bench.serve(25, HIGH_RPS / 2);
    const failed = bench.events.flatMap((event) => (event.kind === 'failed' ? [event] : []));
    if (named === undefined) expect([failed, bench.decisions().length > 0]).toEqual([[], true]);
    else expect(bench.faults.all).toMatchObject([{ step: named.step, message: expect.stringMatching(named.names) }]);
    for (const { step, error } of failed) {
      expect(step).toBe(named?.step);
      expect((error as Error).message).toMatch(named?.names as RegExp);
    }
    for (const [i, replicas] of replicasOf(bench.runningPlan()).entries())
      expect(replicas).toBeGreaterThanOrEqual(replicasOf(before)[i] as number);
    bench.fault = {};
    bench.events.length = 0;
    await bench.serve(25, HIGH_RPS);
    expect([bench.faults.all, bench.events.filter(({ kind }) => kind === 'failed')]).toEqual([[], []]);
    expect(bench.decisions().some(({ kind }) => kind === 'apply')).toBe(true);
    expect([...bench.ends]).toEqual([['completed', 25 * (CALM_RPS + HIGH_RPS / 2 + HIGH_RPS)]]);
  });
});
