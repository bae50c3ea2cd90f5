/**
 * Pipeline with its loop under a manual clock. The test scripts its routers; its planner is core's policy, without a
 * thread.
 */
import { type ControllerRules, ControlSession, controlPolicies, usualGuardrails } from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import type { Decision, Observation, PipelineSpec, PlanResult } from '@equipoise/core/model';
import { optimize, type PolicyName, requireCurves } from '@equipoise/core/plan';
import type { EngineMetricsAnswer } from '@equipoise/core/ports';
import { verifiersOf } from '@equipoise/core/simulate';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { ManualClock } from '@equipoise/testkit';
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf } from '../cluster/object-names.js';
import type { InferencePipeline, ObservedPod } from '../cluster/observed-objects.js';
import { pageText } from '../observe/router-pages.test-support.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';
import { NOW_EPOCH_MS, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { FollowedPlans } from './followed-plans.js';
import type { PipelinePlanner, PlannerAnswer } from './pipeline-planner.js';
import type { PlanNews } from './planning.js';

export const KEY = 'n/shelf';

/** Core's policy in this thread. */
class PlainPlanner implements PipelinePlanner {
  readonly observations: Observation[] = [];
  /** Answer to every question, if set. */
  failure: Error | undefined;
  /** True if ticks wait for `release`. */
  isHeld = false;
  readonly shown: Observation[] = [];
  readonly #session: ControlSession;
  readonly #policy: PolicyName;
  #release: (error?: Error) => void = () => {};

  constructor(spec: PipelineSpec, policy: PolicyName) {
    this.#policy = policy;
    this.#session = new ControlSession(rulesOf(spec, policy));
  }

  /** The spec that is planned now. */
  get spec(): PipelineSpec {
    return this.#session.rules.spec;
  }

  plan(arrivalRps: number): Promise<PlanResult> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const { spec, profiles, verifierAt } = this.#session.rules;
    const problem = { spec, profiles, arrivalRps, estimator: 'distribution' as const };
    return Promise.resolve(optimize(problem, verifierAt({ arrivalRps })));
  }

  async tick(observation: Observation): Promise<PlannerAnswer> {
    this.observations.push(observation);
    if (this.isHeld)
      await new Promise<void>((resolve, reject) => {
        this.#release = (error) => (error === undefined ? resolve() : reject(error));
      });
    if (this.failure !== undefined) throw this.failure;
    const { decision, quiet } = this.#session.tick({ observation, executes: true, asksQuiet: true });
    return { decision, quiet };
  }

  show(observation: Observation): void {
    this.shown.push(observation);
  }

  /** Resumes or fails the waiting tick. */
  release(error?: Error): void {
    this.isHeld = false;
    this.#release(error);
  }

  reload(spec: PipelineSpec): Promise<void> {
    this.#session.reload(rulesOf(spec, this.#policy));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Equal specs share their verdicts: verification is a pure function. */
const rulesBySpec = new Map<string, ControllerRules>();

function rulesOf(spec: PipelineSpec, name: PolicyName): ControllerRules {
  const key = JSON.stringify([name, spec]);
  const rules = rulesBySpec.get(key) ?? newRulesOf(spec, name);
  rulesBySpec.set(key, rules);
  return rules;
}

function newRulesOf(spec: PipelineSpec, name: PolicyName): ControllerRules {
  const curves = requireCurves(spec, []);
  const simulated = { hostCores: Number.POSITIVE_INFINITY, seed: 1, workStageRequests: 20_000 };
  const verifierAt = verifiersOf({ spec, curves, ...simulated });
  const policy = controlPolicies[name];
  return { spec, profiles: [], curves, verifierAt, policy, forecaster: smoothedRate, guardrails: usualGuardrails };
}

function specOf({ apiVersion, kind, metadata, spec }: InferencePipeline): PipelineSpec {
  const document = JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec });
  const parsed = parsePipelineFile(document, { fileName: 'shelf', baseDir: '/' });
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

export function routerPod(
  name: string,
  { ready = true, ip = name, router = 0 }: { ready?: boolean; ip?: string; router?: number } = {},
): ObservedPod {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, namespace: 'n', uid: name, labels: labelsOf('shelf', { kind: 'router', router }) },
    status: { podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

/** Routers with a load, and the loop of their pipeline. */
export class LoopRig {
  readonly clock = new ManualClock();
  readonly plans: FollowedPlans;
  readonly told: string[] = [];
  readonly news: PlanNews[] = [];
  readonly decisions: Decision[] = [];
  readonly planners: PlainPlanner[] = [];
  pipeline: InferencePipeline;
  pods: ObservedPod[] = [];
  children: KubeObject[] = [];
  /** Requests per second that each router gets. */
  rps = 0;
  /** Fraction of these requests that misses the SLO. */
  lateFraction = 0;
  /** Service time (ms) of each batch of `detect`, by variant. */
  serviceMs: Readonly<Record<string, number>> = {};
  isReachable = true;
  /** Failure of planners that are made from now on. */
  failure: Error | undefined;
  /** Network time (ms) by stage that a mesh measures. */
  networkMs: Readonly<Record<string, number>> = {};
  #arrived = 1_000;
  #late = 0;
  #countedAtMs = 0;
  #parsed: { readonly pipeline: InferencePipeline; readonly spec: PipelineSpec } | undefined;

  constructor(over: Parameters<typeof shelf>[0] = {}, policy: PolicyName = 'equipoise') {
    this.pipeline = shelf(over);
    this.plans = new FollowedPlans({
      clock: this.clock,
      nowEpochMs: () => NOW_EPOCH_MS + this.clock.nowMs(),
      ask: (url) => this.#page(url),
      networkTimes: { read: async () => new Map(Object.entries(this.networkMs)) as never },
      engineMetrics: { read: () => this.#series() },
      policy: controlPolicies[policy],
      plannerFor: (spec) => {
        const planner = new PlainPlanner(spec, policy);
        planner.failure = this.failure;
        this.planners.push(planner);
        return planner;
      },
      report: (_key, decision) => this.decisions.push(decision),
    });
    this.plans.onDecided((key, news) => {
      this.told.push(key);
      this.news.push(news);
    });
  }

  /** Spec of the pipeline; parsed once. */
  get #spec(): PipelineSpec {
    if (this.#parsed?.pipeline !== this.pipeline)
      this.#parsed = { pipeline: this.pipeline, spec: specOf(this.pipeline) };
    return this.#parsed.spec;
  }

  get view(): ObservedPipeline {
    return { pipeline: this.pipeline, pods: this.pods, children: this.children };
  }

  /** A pass of the operator. */
  pass() {
    return this.plans.planOf(KEY, this.#spec, this.view);
  }

  /** Advances time, with a pass of the operator after each second. */
  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second++) {
      await this.clock.advanceTo(this.clock.nowMs() + 1_000);
      await this.pass();
    }
  }

  get situation() {
    return this.plans.signalsOf(KEY);
  }

  /** Series of an engine that gets the same load. */
  #series(): Promise<EngineMetricsAnswer> {
    if (!this.isReachable) return Promise.reject(new Error('connection refused'));
    this.#count();
    const [arrivedTotal, late] = [Math.round(this.#arrived), Math.round(this.#late)];
    const latencies = [
      { upToS: 0.3, count: arrivedTotal - late },
      { upToS: Number.POSITIVE_INFINITY, count: late },
    ];
    const counters = { arrivedTotal, endedTotal: arrivedTotal, withinSloTotal: arrivedTotal - late, latencies };
    const graphs = [{ graph: 'shelf', ageMs: 1_000, ...counters }];
    return Promise.resolve({ staleAfterMs: 30_000, graphs, workloads: [], missing: [] });
  }

  /** Counts the load since the last call. */
  #count(): void {
    const more = (this.rps * (this.clock.nowMs() - this.#countedAtMs)) / 1000;
    this.#countedAtMs = this.clock.nowMs();
    this.#arrived += more;
    this.#late += more * this.lateFraction;
  }

  #page(url: string): Promise<string> {
    if (!this.isReachable) return Promise.reject(new Error('connection refused'));
    if (!/^http:\/\/router-\d:8080\/metrics$/.test(url)) return Promise.reject(new Error(`nothing is at ${url}`));
    this.#count();
    const completed = [Math.round(this.#arrived - this.#late), 0, Math.round(this.#late)] as const;
    const latest = [0.25, 0.5, 1].map((windowS) => Math.round(windowS * this.rps)) as [number, number, number];
    const batches = Object.entries(this.serviceMs).map(([variant, serviceMs]) => {
      const serviceS = (this.#arrived * serviceMs) / 1000;
      return { stage: 'detect', variant, count: this.#arrived, items: this.#arrived, serviceS };
    });
    return Promise.resolve(pageText({ arrived: Math.round(this.#arrived), completed, latest, batches }));
  }
}
