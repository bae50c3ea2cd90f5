/**
 * Plans for the annotated load until a router reports one; then core's policy decides. After failures, the last plan
 * stays.
 */
import {
  type ControlPolicy,
  controlPolicies,
  isSamePlan,
  isSameSpec,
  planObjection,
  tickMs,
} from '@equipoise/core/control';
import {
  type AlarmClock,
  AppError,
  bindingText,
  type Decision,
  DwellTracker,
  largestShare,
  type Observation,
  oneRouter,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  planOfRouters,
  type RouterSplit,
  specOfRouter,
} from '@equipoise/core/model';
import { requireCurves, splitFor } from '@equipoise/core/plan';
import type { EngineMetrics } from '@equipoise/core/ports';
import type { KubeObject } from '../api/kube-object.js';
import { objectName } from '../cluster/object-names.js';
import { isRouter, isStage } from '../cluster/observed-objects.js';
import type { CountedBatches } from '../observe/batch-totals.js';
import { targetOf } from '../observe/pipeline-target.js';
import { isRoutingPod, watchOf } from '../observe/pipeline-watch.js';
import { PodStarts } from '../observe/pod-starts.js';
import type { Pace, RouterWatchDeps } from '../observe/router-watch.js';
import type { Sides } from '../observe/side-counts.js';
import type { SignalWatch } from '../observe/signal-watch.js';
import { graphShare, isGraph, isWholeGraph } from '../reconcile/graph-objects.js';
import type { ControlIssue, ObservedPipeline } from '../reconcile/reconciliation.js';
import { heldUntilMs } from '../reconcile/rollback.js';
import { engineFor } from '../render/engine.js';
import { graphEngineOf } from '../render/engines/targets.js';
import { ChangeOutcome, isHeldBack } from './change-outcome.js';
import type { FollowedPipeline } from './followed-pipeline.js';
import { keptPlan, routedPlan } from './kept-plan.js';
import { isSameVerdict, observationAt, observedStatus } from './loop-observation.js';
import { type NetworkTimes, NetworkWatch } from './network-times.js';
import { arrivalRpsOf } from './pipeline-annotations.js';
import type { PipelinePlanner, PlannerAnswer } from './pipeline-planner.js';
import type { PipelineSignals, PlanAnswer, PlanNews } from './planning.js';
import { type MeasuredBatches, observedBatches, profileIssue } from './profile-check.js';

export interface PlanLoopDeps extends RouterWatchDeps {
  /** Series of engines that walk the graph themselves; by default there are none. */
  readonly engineMetrics?: EngineMetrics | undefined;
  /** Figures of a mesh; by default there are none. */
  readonly networkTimes?: NetworkTimes | undefined;
  /** True if routers are read every second even if the policy needs less, for charts; default false. */
  readonly readsEverySecond?: boolean | undefined;
  readonly clock: AlarmClock;
  readonly nowEpochMs: () => number;
  readonly plannerFor: (spec: PipelineSpec) => PipelinePlanner;
  /** Policy of the planners, which sets the time between ticks; default equipoise. */
  readonly policy?: ControlPolicy | undefined;
  readonly report: (key: string, decision: Decision, observation: Observation) => void;
}

const DEFAULT_ARRIVAL_RPS = 1;
const STATUS_EVERY_MS = 30_000;
/** Time after which a first plan that failed is tried again. */
const RETRY_MS = 30_000;

type Planned = Extract<PlanAnswer, { kind: 'plan' }>;

const wholeStagesOf = ({ plan, split = oneRouter }: Planned): Plan['stages'] => planOfRouters(plan, split).stages;

const pendingAnswer = (message: string): PlanAnswer => ({ kind: 'unplanned', reason: 'Pending', message });

export class PlanLoop {
  readonly #deps: PlanLoopDeps;
  readonly #key: string;
  readonly #onChange: (news: PlanNews) => void;
  readonly #abort = new AbortController();
  readonly #watch: SignalWatch;
  readonly #running: Promise<void>;
  readonly #ages = new DwellTracker();
  readonly #starts = new PodStarts();
  readonly #network: NetworkWatch;
  /** The pipeline without measured times, with them, and that of one of its routers, for which plans are made. */
  #given: PipelineSpec;
  #whole: PipelineSpec;
  #spec: PipelineSpec;
  #split: RouterSplit;
  #view: ObservedPipeline;
  #planner: PipelinePlanner | undefined;
  #answer: PlanAnswer = pendingAnswer('The first plan is being made.');
  #issue: ControlIssue | undefined;
  #profile: { readonly atMs: number; readonly issue?: ControlIssue | undefined } = { atMs: Number.NEGATIVE_INFINITY };
  #signals: PipelineSignals = {};
  #signalsAtMs = Number.NEGATIVE_INFINITY;
  #nextTickAtMs = 0;
  #retryAtMs = 0;
  #isTicking = false;
  /** How long the policy needs no load; undefined if it does now. */
  #quiet: PlannerAnswer['quiet'];
  #hasDecided = false;
  #isReplanning = false;
  /** Planning under way; later planning replaces it. */
  #asking: object | undefined;
  #namedRps: number | undefined;
  /** Plan before the current plan, for a roll-back. */
  #before: Planned | undefined;
  readonly #outcome = new ChangeOutcome();
  #routed: { children: readonly KubeObject[]; readonly version: string; readonly plan: Plan | undefined } | undefined;

  /** Calls `changed` for a new answer or new signals. */
  constructor(
    base: PlanLoopDeps,
    key: string,
    first: { spec: PipelineSpec; view: ObservedPipeline },
    changed: (news: PlanNews) => void,
  ) {
    this.#deps = base;
    this.#key = key;
    this.#onChange = changed;
    this.#network = new NetworkWatch(base);
    this.#given = first.spec;
    this.#view = first.view;
    this.#starts.note(first.view.pods);
    this.#namedRps = arrivalRpsOf(first.view.pipeline);
    this.#whole = first.spec;
    const { plannedForRps = this.#rpsToPlanFor, plan } = first.view.pipeline.status ?? {};
    this.#split = splitFor(first.spec, { arrivalRps: plannedForRps, current: plan?.routers });
    this.#spec = specOfRouter(first.spec, this.#split);
    this.#watch = watchOf(base, first.view, {
      spec: () => this.#spec,
      onRound: () => this.#onRound(),
      pace: () => this.#pace(),
    });
    this.#begin();
    this.#running = this.#watch.run(this.#abort.signal);
  }

  get answer(): PlanAnswer {
    return this.#answer;
  }

  get signals(): PipelineSignals {
    return this.#signals;
  }

  /** For the page of the operator. */
  get followed(): FollowedPipeline {
    const { answer } = this;
    const plan = answer.kind === 'plan' ? planOfRouters(answer.plan, answer.split ?? oneRouter) : undefined;
    const { stale } = this.#watch;
    return {
      spec: this.#whole,
      view: this.#view,
      answer,
      planned: { spec: this.#planningSpec(this.#spec), split: this.#split },
      plan,
      history: this.#watch.history,
      issue: stale ?? this.#issue ?? this.#signals.issue,
      signals: this.#watch.ages,
    };
  }

  get isUndecided(): boolean {
    if (this.#asking !== undefined) return true;
    const isUnable = this.#answer.kind === 'unplanned' && this.#answer.reason !== 'Pending';
    if (this.#hasDecided || isUnable || this.#issue !== undefined || this.#spec.control.mode === 'off') return false;
    return this.#watch.willReport;
  }

  get sides(): Sides | undefined {
    return this.#watch.sides;
  }

  /** True while the plan is that of an earlier spec. */
  get isReplanning(): boolean {
    return this.#isReplanning;
  }

  get staleMs(): number {
    return this.#watch.staleMs;
  }

  update(given: PipelineSpec, view: ObservedPipeline): void {
    const before = this.#whole;
    const paced = this.#pace();
    this.#given = given;
    const spec = this.#network.specWith(given);
    const namedRps = arrivalRpsOf(view.pipeline);
    const isNamedAnew = namedRps !== this.#namedRps;
    this.#view = view;
    this.#namedRps = namedRps;
    this.#watch.updatePods(view.pods.filter(isRoutingPod));
    this.#starts.note(view.pods);
    this.#watch.noteShare?.(graphShare(view.children));
    this.#followChange();
    if (!isSameSpec(before, spec)) this.#reload(spec);
    else if (isNamedAnew && !this.#watch.history.hasPages) this.#planFor(this.#rpsToPlanFor);
    if (paced !== undefined && this.#pace() === undefined) this.#watch.hurry?.();
  }

  /** After a roll-back, adopts the plan that serves. */
  #followChange(): void {
    const { answer } = this;
    if (answer.kind !== 'plan' || this.#spec.control.mode !== 'auto') return;
    const { plan, conditions = [] } = this.#view.pipeline.status ?? {};
    if (this.#isHeldBack(answer.plan)) {
      // An engine's graph does not name the plan that it serves, which is the plan before.
      const routed = this.#routedNow ?? (this.#walksGraph ? this.#before?.plan : undefined);
      if (routed === undefined) return;
      this.#outcome.markFailed();
      const before = this.#before;
      this.#before = undefined;
      if (before !== undefined && this.#isOfSplit(before) && isSamePlan(before.plan.stages, routed.stages))
        this.#settle({ ...before });
      else this.#adopt(routed, answer.arrivalRps, undefined);
      return;
    }
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    if (isReady && plan !== undefined && isSamePlan(plan.stages, wholeStagesOf(answer))) this.#outcome.markApplied();
  }

  get #walksGraph(): boolean {
    return graphEngineOf(targetOf(this.#view.pipeline)) !== undefined;
  }

  #isHeldBack(plan: Plan): boolean {
    const routed = this.#routedNow ?? (this.#walksGraph ? this.#before?.plan : undefined);
    const question = { plan, routed, nowEpochMs: this.#deps.nowEpochMs() };
    return isHeldBack(this.#view.pipeline, this.#spec, question);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([this.#running, this.#planner?.close()]);
  }

  #begin(): void {
    const { pipeline, pods, children } = this.#view;
    const kept = keptPlan(pipeline, this.#spec, this.#split);
    const hasRouter =
      pods.some(isRouter) ||
      children.some(
        (child) => (child.kind === 'Deployment' || isGraph(child) || isWholeGraph(child)) && isRouter(child),
      );
    const isOfThis = pipeline.status?.observedGeneration === pipeline.metadata.generation;
    if (!this.#isPlannable()) return;
    if (kept !== undefined && (isOfThis || hasRouter)) this.#answer = kept;
    else if (hasRouter) this.#answer = pendingAnswer('The load of the router that runs already is being looked at.');
    else this.#planFor(this.#rpsToPlanFor);
  }

  /** True if all needed profiles exist. Otherwise the answer becomes `ProfilesMissing`. */
  #isPlannable(): boolean {
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

  #reload(whole: PipelineSpec, arrivalRps = this.#rpsToPlanFor): void {
    this.#whole = whole;
    this.#split = splitFor(whole, { arrivalRps, current: this.#split.count });
    const spec = specOfRouter(whole, this.#split);
    this.#spec = spec;
    this.#routed = undefined;
    this.#asking = undefined;
    this.#isReplanning = false;
    if (!this.#isPlannable()) return;
    this.#isReplanning = spec.control.mode !== 'off';
    void this.#planner?.reload(this.#planningSpec(spec)).catch((error: unknown) => this.#onPlanningFailure(error));
    const { answer } = this;
    const goesOn = answer.kind === 'plan' && this.#isOfSplit(answer) && planObjection(spec, answer.plan) === undefined;
    if (!goesOn || !this.#watch.history.hasPages) this.#planFor(this.#rpsToPlanFor);
  }

  get #rpsToPlanFor(): number {
    const before = this.#answer.kind === 'plan' && this.#watch.history.hasPages ? this.#answer.arrivalRps : undefined;
    return before ?? this.#namedRps ?? DEFAULT_ARRIVAL_RPS;
  }

  #planFor(arrivalRps: number): void {
    const asking = {};
    this.#asking = asking;
    this.#plannerNow()
      .plan(largestShare(this.#split) * arrivalRps)
      .then((result) => {
        if (this.#asking !== asking || this.#abort.signal.aborted) return;
        this.#asking = undefined;
        this.#issue = undefined;
        this.#useResult(result, arrivalRps);
      })
      .catch((error: unknown) => {
        if (this.#asking !== asking) return;
        this.#asking = undefined;
        this.#onPlanningFailure(error);
      });
  }

  /** The spec without the part of the SLO that an engine needs. */
  #planningSpec(spec: PipelineSpec): PipelineSpec {
    return engineFor(targetOf(this.#view.pipeline)).planningSpec(spec);
  }

  #plannerNow(): PipelinePlanner {
    this.#planner ??= this.#deps.plannerFor(this.#planningSpec(this.#spec));
    return this.#planner;
  }

  #useResult(result: PlanResult, arrivalRps: number): void {
    this.#endReplanning();
    const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
    if (plan !== undefined) this.#adopt(plan, arrivalRps, result);
    else this.#settle({ kind: 'unplanned', reason: 'Infeasible', message: shortfallOf(result, arrivalRps) ?? '' });
  }

  #adopt(plan: Plan, arrivalRps: number, result: PlanResult | undefined): void {
    const shortfall = result && shortfallOf(result, arrivalRps);
    const before = this.#answer;
    const isSame = before.kind === 'plan' && this.#isOfSplit(before) && isSamePlan(before.plan.stages, plan.stages);
    if (isSame && before.shortfall === shortfall) return;
    const plannedAtEpochMs = this.#deps.nowEpochMs();
    this.#settle({
      kind: 'plan',
      plan,
      ...(this.#split.count > 1 && { split: this.#split }),
      profiles: [],
      arrivalRps,
      plannedAtEpochMs,
      shortfall,
    });
  }

  /**
   * Pace of the questions to routers. Usual while something is under way: planning, a change, a canary, a roll-back, an
   * issue. In mode `off` only the status needs the load.
   */
  #pace(): Pace | undefined {
    if (this.#deps.readsEverySecond === true) return undefined;
    const { status } = this.#view.pipeline;
    if (this.#spec.control.mode === 'off')
      return { untilMs: this.#deps.clock.nowMs() + this.#spec.control.intervalMs, most: [] };
    const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
    const isBusy =
      this.#isTicking || this.#asking !== undefined || this.#issue !== undefined || status?.shift !== undefined;
    const isSettled = this.#spec.control.mode === 'advise' || (isReady && this.#answer.kind === 'plan');
    if (isBusy || !isSettled || this.#quiet === undefined) return undefined;
    const share = largestShare(this.#split);
    const most = this.#quiet.most.map(({ windowS, arrivals }) => ({ windowS, arrivals: arrivals / share }));
    return { untilMs: this.#quiet.untilMs, most };
  }

  #isOfSplit({ split = oneRouter }: Planned): boolean {
    return split.count === this.#split.count;
  }

  /** With `routers: auto`, the number of routers follows the load of the last minute. */
  #followLoad(): boolean {
    const arrivalRps = this.#watch.history.window(this.#spec.slo.percentile)?.arrivalRps;
    if (this.#whole.routers !== 'auto' || arrivalRps === undefined || this.#watch.stale !== undefined) return false;
    if (splitFor(this.#whole, { arrivalRps, current: this.#split.count }).count === this.#split.count) return false;
    this.#reload(this.#whole, arrivalRps);
    return true;
  }

  #endReplanning(): void {
    if (!this.#isReplanning) return;
    this.#isReplanning = false;
    this.#onChange('signals');
  }

  #settle(answer: PlanAnswer): void {
    this.#answer = answer;
    this.#onChange('plan');
  }

  #onRound(): void {
    this.#refreshSignals();
    void this.#network.look(this.#view, this.#given, () => this.#reload(this.#network.specWith(this.#given)));
    const nowMs = this.#deps.clock.nowMs();
    const { mode } = this.#spec.control;
    const reason = this.#answer.kind === 'unplanned' ? this.#answer.reason : undefined;
    if (reason === 'Failed' && mode !== 'off' && this.#asking === undefined && nowMs >= this.#retryAtMs)
      this.#planFor(this.#rpsToPlanFor);
    // Without a router there is no load. Stale metrics are passed on, too: the policy then keeps the running plan.
    const isToldOf = this.#watch.hasSignal || (this.#watch.history.hasPages && this.#watch.stale !== undefined);
    if (mode === 'off' || reason === 'ProfilesMissing' || this.#asking !== undefined || !isToldOf) return;
    if (!this.#isTicking && (nowMs < this.#nextTickAtMs || this.#followLoad())) return;
    const [{ pipeline }, nowEpochMs] = [this.#view, this.#deps.nowEpochMs()];
    const observation = observationAt(nowMs, {
      spec: this.#spec,
      split: this.#split,
      watch: this.#watch,
      batches: this.#isTicking ? [] : observedBatches(this.#measuredBatches(this.#watch.batches.take())),
      starts: this.#isTicking ? [] : this.#starts.take(this.#spec),
      ages: this.#ages,
      runs: this.#runs,
      // In mode `advise`, an unfinished canary does not delay advice.
      isShifting: mode === 'auto' && this.#view.pipeline.status?.shift !== undefined,
      rolledBack: ({ id, variants }) =>
        variants.flatMap(({ id: variantId }) => {
          const untilEpochMs = heldUntilMs(pipeline, [objectName(this.#spec.name, id, variantId)], nowEpochMs);
          return untilEpochMs === undefined ? [] : [{ variantId, untilMs: nowMs + untilEpochMs - nowEpochMs }];
        }),
    });
    if (this.#isTicking) {
      this.#plannerNow().show(observation);
      return;
    }
    const lastChange = this.#outcome.take();
    void this.#tick({ ...observation, ...(lastChange && { lastChange }) });
  }

  async #tick(observation: Observation): Promise<void> {
    const spec = this.#spec;
    const { policy = controlPolicies.equipoise } = this.#deps;
    this.#isTicking = true;
    this.#nextTickAtMs = observation.atMs + tickMs({ spec, policy });
    try {
      this.#quiet = undefined;
      const { decision, quiet } = await this.#plannerNow().tick(observation, spec.control.mode === 'auto');
      this.#issue = undefined;
      if (spec === this.#spec) this.#quiet = quiet;
      // A decision for an older spec is void.
      if (decision !== undefined && spec === this.#spec && !this.#abort.signal.aborted)
        this.#useDecision(decision, observation);
    } catch (error) {
      // A reload cancels the tick for the older spec.
      if (spec === this.#spec) this.#onPlanningFailure(error);
    } finally {
      this.#isTicking = false;
    }
  }

  #useDecision(decision: Decision, observation: Observation): void {
    this.#hasDecided = true;
    this.#endReplanning();
    this.#deps.report(this.#key, decision, observation);
    const { forecast, load, result } = decision.evidence;
    const arrivalRps = (load?.arrivalRps ?? forecast.upperRps) / largestShare(this.#split);
    if (decision.kind === 'apply') {
      // A plan in back-off is not retried.
      if (this.#isHeldBack(decision.plan)) this.#outcome.markRefused(decision.changes);
      else {
        this.#before = this.#answer.kind === 'plan' ? this.#answer : undefined;
        this.#outcome.begin(decision.changes);
        this.#adopt(decision.plan, arrivalRps, result);
      }
    }
    // Advice to change nothing, or the first decision about running workloads.
    else if (result !== undefined && (this.#spec.control.mode === 'advise' || this.#answer.kind === 'unplanned'))
      this.#useResult(result, arrivalRps);
  }

  /** The decided plan in mode `auto`, or else the plan of the router. */
  get #runs(): Plan | undefined {
    const { answer } = this;
    if (this.#spec.control.mode === 'auto') return answer.kind === 'plan' ? answer.plan : undefined;
    return this.#routedNow;
  }

  get #routedNow(): Plan | undefined {
    const { children } = this.#view;
    // Cached, because it changes only with the children.
    if (this.#routed?.children === children) return this.#routed.plan;
    const versions = children.flatMap((child) => {
      const { uid, resourceVersion, generation } = child.metadata;
      if (isRouter(child)) return [`${uid} ${resourceVersion}`];
      // The router follows the replicas of its stages.
      return isStage(child) ? [`${uid} ${generation ?? ''}`] : [];
    });
    const version = versions.join();
    if (this.#routed?.version === version) this.#routed.children = children;
    else this.#routed = { children, version, plan: routedPlan(this.#spec, children) };
    return this.#routed.plan;
  }

  get #routedWhole(): Plan | undefined {
    return this.#routedNow && planOfRouters(this.#routedNow, this.#split);
  }

  /** Of the last control interval: each check simulates the quotas of the pods. */
  get #profileIssue(): ControlIssue | undefined {
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs - this.#profile.atMs >= this.#spec.control.intervalMs) {
      const isOff = this.#profile.issue !== undefined;
      const issue = profileIssue({ ...this.#measuredBatches(this.#watch.batches.window()), isOff });
      this.#profile = { atMs: nowMs, issue };
    }
    return this.#profile.issue;
  }

  #measuredBatches(counted: CountedBatches): MeasuredBatches {
    return { spec: this.#spec, counted, runs: this.#routedNow ?? this.#runs, routers: this.#split.count };
  }

  #onPlanningFailure(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#retryAtMs = this.#deps.clock.nowMs() + RETRY_MS;
    this.#endReplanning();
    const message = error instanceof Error ? error.message : String(error);
    this.#issue = { reason: 'PlanningFailed', message };
    if (this.#answer.kind === 'unplanned') this.#settle({ kind: 'unplanned', reason: 'Failed', message });
  }

  #refreshSignals(): void {
    const { stale } = this.#watch;
    const issue: ControlIssue | undefined =
      stale === undefined ? (this.#issue ?? this.#profileIssue) : { reason: stale.reason, message: stale.message };
    const window = stale === undefined ? this.#watch.history.window(this.#spec.slo.percentile) : undefined;
    const observed =
      window && observedStatus(this.#spec, window, { routed: this.#routedWhole, networkMs: this.#network.inForce });
    const next: PipelineSignals = { observed, issue };
    const nowMs = this.#deps.clock.nowMs();
    const before = this.#signals;
    if (JSON.stringify(next) === JSON.stringify(before)) return;
    const isUrgent = issue?.reason !== before.issue?.reason || !isSameVerdict(this.#spec, before.observed, observed);
    if (!isUrgent && nowMs - this.#signalsAtMs < STATUS_EVERY_MS) return;
    this.#signals = next;
    this.#signalsAtMs = nowMs;
    this.#onChange('signals');
  }
}

function shortfallOf(result: PlanResult, arrivalRps: number): string | undefined {
  if (result.kind === 'feasible') return undefined;
  const rps = Number(arrivalRps.toPrecision(3));
  return `No plan meets the SLO at ${rps} requests per second: ${bindingText(result.bindingConstraint)}.`;
}
