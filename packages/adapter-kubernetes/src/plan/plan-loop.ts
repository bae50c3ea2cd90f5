/**
 * The control loop of one pipeline on a cluster. Before a router tells of the load the plan is for the load that somebody named; then core's
 * policy decides, at its own ticks. What it decided last stays, whatever fails here.
 */
import { controlPolicies, isSameSpec, planObjection, tickMs } from '@equipoise/core/control';
import {
  type AlarmClock,
  AppError,
  type Decision,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  DwellTracker,
} from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import type { KubeObject } from '../api/kube-object.js';
import { isNext, isRouter, type ObservedPod } from '../cluster/observed-objects.js';
import { RouterWatch, type RouterWatchBase } from '../observe/router-watch.js';
import type { Sides } from '../observe/side-counts.js';
import type { ControlTrouble, ObservedPipeline } from '../reconcile/reconciliation.js';
import { ChangeOutcome, isLeftAlone } from './change-outcome.js';
import { keptPlan } from './kept-plan.js';
import { observationAt } from './loop-observation.js';
import { observedStatus, sameVerdict } from './observed-status.js';
import { arrivalRpsOf } from './pipeline-annotations.js';
import type { PipelinePlanner } from './pipeline-planner.js';
import type { PlanAnswer, Situation } from './planning.js';
import { routedPlan } from './routed-plan.js';

/** What a loop stands on. */
export interface PlanLoopBase extends RouterWatchBase {
  readonly clock: AlarmClock;
  readonly nowEpochMs: () => number;
  readonly plannerFor: (spec: PipelineSpec) => PipelinePlanner;
  /** Told of each decision of the policy. */
  readonly report: (key: string, decision: Decision) => void;
}

/** Where nothing is known of the load. */
const DEFAULT_ARRIVAL_RPS = 1;
/** The status is not for graphs. */
const STATUS_EVERY_MS = 30_000;

type Planned = Extract<PlanAnswer, { kind: 'plan' }>;

const pending = (message: string): PlanAnswer => ({ kind: 'unplanned', reason: 'Pending', message });

export class PlanLoop {
  readonly #base: PlanLoopBase;
  readonly #key: string;
  readonly #changed: () => void;
  readonly #abort = new AbortController();
  readonly #watch: RouterWatch;
  readonly #running: Promise<void>;
  readonly #ages = new DwellTracker();
  #spec: PipelineSpec;
  #view: ObservedPipeline;
  #planner: PipelinePlanner | undefined;
  #answer: PlanAnswer = pending('The first plan is being made.');
  #trouble: ControlTrouble | undefined;
  #situation: Situation = {};
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #nextTickAtMs = 0;
  #isTicking = false;
  #hasDecided = false;
  /** A plan for a named load that is being made; a later one takes its place. */
  #asking: object | undefined;
  #namedRps: number | undefined;
  /** What was in force before the plan of now, which may yet fail when it is tried. */
  #before: Planned | undefined;
  readonly #outcome = new ChangeOutcome();
  /** What the router is configured for, as it was read last. */
  #routed: { children: readonly KubeObject[]; readonly version: string; readonly plan: Plan | undefined } | undefined;

  /** `changed` is called when there is another answer, or something to tell. */
  constructor(
    base: PlanLoopBase,
    key: string,
    first: { spec: PipelineSpec; view: ObservedPipeline },
    changed: () => void,
  ) {
    this.#base = base;
    this.#key = key;
    this.#changed = changed;
    this.#spec = first.spec;
    this.#view = first.view;
    this.#watch = new RouterWatch(base, first.view.pods.filter(routes), () => this.#look());
    this.#namedRps = arrivalRpsOf(first.view.pipeline);
    this.#begin();
    this.#running = this.#watch.run(this.#abort.signal);
  }

  get answer(): PlanAnswer {
    return this.#answer;
  }

  get situation(): Situation {
    return this.#situation;
  }

  /** Whether it has a first word to say yet: a plan for the load that is named, or a decision about the one that its routers show. */
  get isUndecided(): boolean {
    if (this.#asking !== undefined) return true;
    const isUnable = this.#answer.kind === 'unplanned' && this.#answer.reason !== 'Pending';
    if (this.#hasDecided || isUnable || this.#trouble !== undefined || this.#spec.control.mode === 'off') return false;
    return this.#watch.isPromising;
  }

  /** What the routers of both sides of a shift have ended since its last step; undefined while one of them is not heard. */
  get sides(): Sides | undefined {
    return this.#watch.sides;
  }

  /** How long one of them has not been heard (ms), since this loop began at most. */
  get silentMs(): number {
    return this.#watch.silentMs;
  }

  /** The pipeline as it is now. */
  see(spec: PipelineSpec, view: ObservedPipeline): void {
    const before = this.#spec;
    const namedRps = arrivalRpsOf(view.pipeline);
    const isNamedAnew = namedRps !== this.#namedRps;
    this.#view = view;
    this.#namedRps = namedRps;
    this.#watch.see(view.pods.filter(routes));
    this.#followChange();
    if (!isSameSpec(before, spec)) this.#reload(spec);
    else if (isNamedAnew && !this.#watch.history.isHeard) this.#planFor(this.#rpsToPlanFor);
  }

  /** What became of the plan on the cluster: one that failed when it was tried gives way to the one that serves. */
  #followChange(): void {
    const { answer } = this;
    if (answer.kind !== 'plan' || this.#spec.control.mode !== 'auto') return;
    const { plan, conditions = [] } = this.#view.pipeline.status ?? {};
    if (this.#isLeftAlone(answer.plan)) {
      const routed = this.#routedNow;
      if (routed === undefined) return;
      this.#outcome.failed();
      const before = this.#before;
      this.#before = undefined;
      if (before !== undefined && sameStages(before.plan, routed)) this.#settle({ ...before });
      else this.#adopt(routed, answer.arrivalRps, undefined);
      return;
    }
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    if (isReady && plan !== undefined && sameStages(plan, answer.plan)) this.#outcome.applied();
  }

  #isLeftAlone(plan: Plan): boolean {
    const question = { plan, routed: this.#routedNow, nowEpochMs: this.#base.nowEpochMs() };
    return isLeftAlone(this.#view.pipeline, this.#spec, question);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([this.#running, this.#planner?.close()]);
  }

  #begin(): void {
    const { pipeline, pods, children } = this.#view;
    const kept = keptPlan(pipeline, this.#spec);
    const hasRouter = pods.some(isRouter) || children.some((child) => child.kind === 'Deployment' && isRouter(child));
    const isOfThis = pipeline.status?.observedGeneration === pipeline.metadata.generation;
    if (!this.#plannable()) return;
    if (kept !== undefined && (isOfThis || hasRouter)) this.#answer = kept;
    else if (hasRouter) this.#answer = pending('The load of the router that runs already is being looked at.');
    else this.#planFor(this.#rpsToPlanFor);
  }

  /** Whether the profiles suffice; where they do not, the answer says so. */
  #plannable(): boolean {
    try {
      requireCurves(this.#spec, []);
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const message = `${error.message} On a cluster the profile stands in the spec of the pipeline, below each variant.`;
      this.#settle({ kind: 'unplanned', reason: 'ProfilesMissing', message });
      return false;
    }
  }

  #reload(spec: PipelineSpec): void {
    this.#spec = spec;
    this.#routed = undefined;
    this.#asking = undefined;
    if (!this.#plannable()) return;
    void this.#planner?.reload(spec).catch((error: unknown) => this.#planningFailed(error));
    const { answer } = this;
    const goesOn = answer.kind === 'plan' && planObjection(spec, answer.plan) === undefined;
    if (!goesOn || !this.#watch.history.isHeard) this.#planFor(this.#rpsToPlanFor);
  }

  get #rpsToPlanFor(): number {
    const before = this.#answer.kind === 'plan' && this.#watch.history.isHeard ? this.#answer.arrivalRps : undefined;
    return before ?? this.#namedRps ?? DEFAULT_ARRIVAL_RPS;
  }

  /** Makes a plan for a load that was named. */
  #planFor(arrivalRps: number): void {
    const asking = {};
    this.#asking = asking;
    this.#plannerNow()
      .plan(arrivalRps)
      .then((result) => {
        if (this.#asking !== asking || this.#abort.signal.aborted) return;
        this.#asking = undefined;
        this.#trouble = undefined;
        this.#planned(result, arrivalRps);
      })
      .catch((error: unknown) => {
        if (this.#asking !== asking) return;
        this.#asking = undefined;
        this.#planningFailed(error);
      });
  }

  #plannerNow(): PipelinePlanner {
    this.#planner ??= this.#base.plannerFor(this.#spec);
    return this.#planner;
  }

  #planned(result: PlanResult, arrivalRps: number): void {
    const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
    if (plan !== undefined) this.#adopt(plan, arrivalRps, result);
    else this.#settle({ kind: 'unplanned', reason: 'Infeasible', message: shortfallOf(result, arrivalRps) ?? '' });
  }

  #adopt(plan: Plan, arrivalRps: number, result: PlanResult | undefined): void {
    const shortfall = result && shortfallOf(result, arrivalRps);
    const before = this.#answer;
    if (before.kind === 'plan' && sameStages(before.plan, plan) && before.shortfall === shortfall) return;
    const plannedAtEpochMs = this.#base.nowEpochMs();
    const answer: Planned = { kind: 'plan', plan, profiles: [], arrivalRps, plannedAtEpochMs };
    this.#settle(shortfall === undefined ? answer : { ...answer, shortfall });
  }

  #settle(answer: PlanAnswer): void {
    this.#answer = answer;
    this.#changed();
  }

  /** After each round of questions to the routers. */
  #look(): void {
    this.#tell();
    const nowMs = this.#base.clock.nowMs();
    const { mode } = this.#spec.control;
    const isUnable = this.#answer.kind === 'unplanned' && this.#answer.reason === 'ProfilesMissing';
    // Without a router there is no load to follow; one that is lost is told to the policy, which then keeps to what it knows.
    const isToldOf = this.#watch.isHeard || (this.#watch.history.isHeard && this.#watch.lost !== undefined);
    if (mode === 'off' || isUnable || this.#asking !== undefined || !isToldOf) return;
    if (!this.#isTicking && nowMs < this.#nextTickAtMs) return;
    const observation = observationAt(nowMs, {
      ...{ spec: this.#spec, watch: this.#watch, ages: this.#ages, runs: this.#runs },
      // A share that is out while nothing is to be changed holds no advice up.
      isShifting: mode === 'auto' && this.#view.pipeline.status?.shift !== undefined,
    });
    if (this.#isTicking) {
      this.#plannerNow().show(observation);
      return;
    }
    const lastChange = this.#outcome.take();
    void this.#tick({ ...observation, ...(lastChange && { lastChange }) });
  }

  async #tick(observation: ReturnType<typeof observationAt>): Promise<void> {
    const spec = this.#spec;
    this.#isTicking = true;
    this.#nextTickAtMs = observation.atMs + tickMs({ spec, policy: controlPolicies.equipoise });
    try {
      const decision = await this.#plannerNow().tick(observation, spec.control.mode === 'auto');
      this.#trouble = undefined;
      // What was decided for another description says nothing of this one.
      if (decision !== undefined && spec === this.#spec && !this.#abort.signal.aborted) this.#decided(decision);
    } catch (error) {
      // A planner that takes another description gives up what it was asked about the one before.
      if (spec === this.#spec) this.#planningFailed(error);
    } finally {
      this.#isTicking = false;
    }
  }

  #decided(decision: Decision): void {
    this.#hasDecided = true;
    this.#base.report(this.#key, decision);
    const { forecast, load, result } = decision.evidence;
    const arrivalRps = load?.arrivalRps ?? forecast.upperRps;
    if (decision.kind === 'apply') {
      // What failed a moment ago is not tried again at once, not even where it seems necessary.
      if (this.#isLeftAlone(decision.plan)) this.#outcome.refused(decision.changes);
      else {
        this.#before = this.#answer.kind === 'plan' ? this.#answer : undefined;
        this.#outcome.began(decision.changes);
        this.#adopt(decision.plan, arrivalRps, result);
      }
    }
    // Advice to leave things as they are, and the first word on what ran already.
    else if (result !== undefined && (this.#spec.control.mode === 'advise' || this.#answer.kind === 'unplanned'))
      this.#planned(result, arrivalRps);
  }

  /** What counts as running: what was decided where that is carried out, else what the router is configured for. */
  get #runs(): Plan | undefined {
    const { answer } = this;
    if (this.#spec.control.mode === 'auto') return answer.kind === 'plan' ? answer.plan : undefined;
    return this.#routedNow;
  }

  get #routedNow(): Plan | undefined {
    const { children } = this.#view;
    // Asked several times a second, between changes of what is seen.
    if (this.#routed?.children === children) return this.#routed.plan;
    const version = children
      .filter(isRouter)
      .map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`)
      .join();
    if (this.#routed?.version === version) this.#routed.children = children;
    else this.#routed = { children, version, plan: routedPlan(this.#spec, children) };
    return this.#routed.plan;
  }

  #planningFailed(error: unknown): void {
    // A planner that is closed gives up what it was asked.
    if (this.#abort.signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#trouble = { reason: 'PlanningFailed', message };
    if (this.#answer.kind === 'unplanned') this.#settle({ kind: 'unplanned', reason: 'Failed', message });
  }

  /** Renews what is told beside the plan: at once where it says something else, now and then where only figures differ. */
  #tell(): void {
    const { lost } = this.#watch;
    const trouble: ControlTrouble | undefined =
      lost === undefined
        ? this.#trouble
        : { reason: 'RouterUnreachable', message: `No fresh metrics of the router ${lost}. The last plan is kept.` };
    const window = lost === undefined ? this.#watch.history.window(this.#spec.slo.percentile) : undefined;
    const observed = window && observedStatus(this.#spec, window, this.#routedNow);
    const next: Situation = { ...(observed && { observed }), ...(trouble && { trouble }) };
    const nowMs = this.#base.clock.nowMs();
    const before = this.#situation;
    if (JSON.stringify(next) === JSON.stringify(before)) return;
    const isUrgent = trouble?.reason !== before.trouble?.reason || !sameVerdict(this.#spec, before.observed, observed);
    if (!isUrgent && nowMs - this.#toldAtMs < STATUS_EVERY_MS) return;
    this.#situation = next;
    this.#toldAtMs = nowMs;
    this.#changed();
  }
}

/** Whether a pod gets requests of clients: that of the plan that serves, and that of one that is tried. */
const routes = (pod: ObservedPod): boolean => isRouter(pod) || isNext(pod);

function shortfallOf(result: PlanResult, arrivalRps: number): string | undefined {
  if (result.kind === 'feasible') return undefined;
  const rps = Number(arrivalRps.toPrecision(3));
  return `No plan meets the SLO at ${rps} requests per second: the ${result.bindingConstraint} binds.`;
}

const sameStages = (a: Plan, b: Plan): boolean => JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));

function ordered({ stages }: Plan) {
  return Object.entries(stages)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, parts]) => [
      id,
      parts.map(({ variantId, resources, maxBatchSize, maxBatchWaitMs, replicas }) => [
        ...[variantId, resources.cpuCores, resources.memoryBytes, resources.gpus],
        ...[maxBatchSize, maxBatchWaitMs, replicas],
      ]),
    ]);
}
