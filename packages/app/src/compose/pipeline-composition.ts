/** Composes a running pipeline from its data plane, control loop, planner workers, log and store. */
import { setTimeout } from 'node:timers/promises';
import { AddressFollower, EmbeddedActuator } from '@equipoise/adapter-embedded';
import { type ResolveName, serverAddresses } from '@equipoise/adapter-open-inference';
import {
  type ControllerSnapshot,
  controlPolicies,
  correctedProfiles,
  diffPlans,
  isSameSpec,
  planOfStages,
  tickMs,
} from '@equipoise/core/control';
import { smoothedRate } from '@equipoise/core/forecast';
import {
  type AppError,
  buildObservation,
  type ControlMode,
  DwellTracker,
  followsAddresses,
  liveReplicas,
  type Observation,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  SeededRng,
  type StageId,
} from '@equipoise/core/model';
import { type PolicyName, profileEvidence, requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { GoodPlan, ReplicaLauncher } from '@equipoise/core/ports';
import { ServingPolicies } from '@equipoise/core/simulate';
import {
  AccuracyFaults,
  ActiveFaults,
  AgreementFaults,
  ControlLoop,
  DecisionLog,
  type LoopEvent,
  monotonicClock,
  OutcomeTracker,
  PipelineControl,
  PipelineDiagnosis,
  type PipelineMonitor,
  PipelineRunner,
  Planner,
  PlannerPool,
  type RequestTracer,
  ServedHistory,
  ShadowReplicas,
  StageTypes,
  type ThreadedPlanStore,
} from '@equipoise/runtime';
import { quotaFractionOfProcess } from './cpu-quota-of-process.js';
import { embeddedLauncher } from './embedded-launcher.js';
import { type FirstPlan, firstReason, lostPinsText, nothingFits, planOfResult, resumeObjection } from './first-plan.js';
import { type OwnDecisions, ownTicks } from './own-decisions.js';
import type { RouterGroup } from './router-group.js';
import { NO_SAVED_STATE, readSavedState, type SavedState, saveLearned } from './saved-state.js';
import { checkReplaceable, type ServedSpec, servedSpec } from './served-spec.js';
import { MeasuredBatches, StageInputs } from './watched-replicas.js';

export interface StartOptions {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Rate for the first plan if none is restored. */
  readonly arrivalRps: number;
  /** True if a person announced `arrivalRps`: plans carry it until the traffic shows the rate. */
  readonly announces?: boolean | undefined;
  readonly policy: PolicyName;
  /** Plan to begin with, in place of one for `arrivalRps`. */
  readonly beginsWith?: Plan | undefined;
  /** Decides at the ticks, for experiments; default: equipoise. */
  readonly adaptsBy?: PolicyName | OwnDecisions | undefined;
  /** True to keep the first plan. */
  readonly fixed: boolean;
  /** This server's place among several routers of this machine. Default: it is the only one. */
  readonly routers?: RouterGroup | undefined;
  /** Default: the last mode set by hand, else the mode of the file. */
  readonly mode?: ControlMode | undefined;
  /** True to restore the pipeline's last plan. */
  readonly resume: boolean;
  /** True to restore learned state, pins and mode; default `resume`. */
  readonly resumeLearned?: boolean | undefined;
  /** Name of the state file in `.equipoise`; default `state.db`. */
  readonly stateFile?: string | undefined;
  /** Aborts the start: then everything is closed, and `startPipeline` rejects. */
  readonly signal?: AbortSignal | undefined;
  readonly report: (event: LoopEvent) => void;
  /** Opens ports before anything starts; an error aborts the start. */
  readonly listen?: (parts: { readonly runner: PipelineRunner; readonly stageTypes: StageTypes }) => Promise<void>;
  /** Receives the current step of the start, as text. */
  readonly onStep?: (text: string) => void;
  /** Receives loop events from the start, and the requests after warm-up. */
  readonly monitor?: PipelineMonitor | undefined;
  /** Wraps the launcher of replicas, for experiments with faults. */
  readonly replicas?: ((launcher: ReplicaLauncher) => ReplicaLauncher) | undefined;
  /** Records the requests. Default: no traces. */
  readonly tracer?: RequestTracer | undefined;
  /** Finds the addresses of servers. Default: the names of this machine. */
  readonly resolve?: ResolveName | undefined;
}

const actions = { auto: 'resume', advise: 'advise', off: 'pause' } as const satisfies Record<ControlMode, string>;

/** Maximum wait for the prediction of a manual plan: the planner may be busy. */
const ESTIMATE_MS = 500;

const LAST_SAVE_MS = 1000;
const SHADOW_SEED = 1;
/** Bounds the work of a frontier: each point is searched and simulated. */
const FRONTIER_POINTS = 16;

export class PipelineComposition {
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly loop: ControlLoop;
  readonly control: PipelineControl;
  kept: SavedState;
  readonly stageTypes = new StageTypes();
  readonly #options: StartOptions;
  readonly #curves: ServiceCurves;
  readonly #store: ThreadedPlanStore;
  #served: ServedSpec;
  readonly #faults: ActiveFaults;
  readonly #dropFaults: readonly (AccuracyFaults | AgreementFaults)[];
  readonly #shadows: ShadowReplicas | undefined;
  readonly #log: DecisionLog;
  readonly #planner: Planner;
  /** Planner for what-if requests, which must not delay a tick. */
  readonly #adviser: Planner;
  readonly #policies: ServingPolicies;
  readonly #ages = new DwellTracker();
  readonly #batches = new MeasuredBatches();
  /** True once state is restored. Before that, there is nothing to save. */
  #hasRestored = false;
  /** True while another router leads, whose plan is served. */
  #follows: boolean;
  #hasSurge = true;
  #history: ServedHistory | undefined;
  /** Set while an announced rate may count. */
  #announced: Observation['announced'];
  #closed: Promise<void> | undefined;
  #follower: AddressFollower | undefined;
  #followedReports = 0;

  /** `fault`: reason why the store is unusable or has lost its content. */
  constructor(
    options: StartOptions,
    { store, fault }: { readonly store: ThreadedPlanStore; readonly fault: AppError | undefined },
    { kept, follows }: { readonly kept: SavedState; readonly follows: boolean },
  ) {
    const { spec, profiles, report, adaptsBy, resolve, replicas = (plain) => plain } = options;
    const curves = requireCurves(spec, profiles);
    const inputs = new StageInputs();
    this.kept = kept;
    this.#follows = follows;
    this.#options = options;
    this.#curves = curves;
    this.#store = store;
    this.#served = servedSpec(spec, profiles);
    const { setup } = this.#served;
    this.#faults = new ActiveFaults(Date.now, report);
    if (fault !== undefined) this.#faults.raise('store', fault);
    this.#log = new DecisionLog({
      pipelineName: spec.name,
      store,
      faults: this.#faults,
      report,
      lastId: kept.lastDecisionId,
    });
    this.#planner = new Planner(typeof adaptsBy === 'string' ? { ...setup, policy: adaptsBy } : setup);
    // Questions to the adviser come while the pipeline serves.
    this.#adviser = new Planner(setup, new PlannerPool({ serves: true }));
    this.#shadows = this.#composeShadows(spec);
    this.runner = new PipelineRunner({
      spec: this.#served.answering,
      hostCores: setup.hostCores,
      tracer: options.tracer,
      shadows: this.#shadows,
    });
    this.#policies = new ServingPolicies(spec, curves, (stageId, policy) => this.runner.setPolicy(stageId, policy), {
      quotaFraction: quotaFractionOfProcess(),
    });
    const launcher = embeddedLauncher(spec, undefined, resolve);
    this.actuator = new EmbeddedActuator(setup.spec, {
      pool: this.runner,
      launcher: inputs.watching(this.stageTypes.watching(this.#batches.watching(replicas(launcher)))),
      warmUpBatch: (stageId) => inputs.batchFor(stageId),
      adopt: (stageId, to) => this.#policies.adopt(stageId, to),
      openCanary: (stageId, to) => this.runner.openCanary(stageId, this.#policies.canaryPolicy(stageId, to)),
      onCanary: (stageId, news) => report({ kind: 'canary', stageId, ...news }),
      onFailure: (stageId, error) => report({ kind: 'replica-replaced', stageId, error }),
    });
    const { accuracy, agreement } = this.runner;
    const faultDeps = {
      faults: this.#faults,
      runningPlan: () => this.actuator.runningPlan(),
      nowMs: () => this.runner.nowMs,
      epochNowMs: Date.now,
    };
    this.#dropFaults = [
      ...(accuracy ? [new AccuracyFaults({ watch: accuracy, ...faultDeps })] : []),
      ...(agreement ? [new AgreementFaults({ watch: agreement, ...faultDeps })] : []),
    ];
    this.runner.onInputQuarantined((input) => report({ kind: 'input-quarantined', ...input }));
    this.loop = this.#controlLoop();
    this.control = this.#pipelineControl();
  }

  #composeShadows(spec: PipelineSpec): ShadowReplicas | undefined {
    if (spec.stages.every(({ shadow }) => shadow === undefined)) return undefined;
    return new ShadowReplicas(spec, {
      launcher: embeddedLauncher(spec),
      clock: monotonicClock,
      rng: new SeededRng(SHADOW_SEED),
      onProblem: (problem) => {
        if (problem === undefined) this.#faults.clear('shadow');
        else this.#faults.raise('shadow', problem);
      },
    });
  }

  async firstPlan(): Promise<FirstPlan> {
    const { resume, beginsWith } = this.#options;
    await this.#saveSetup();
    await this.#resumeLearned();
    this.#hasRestored = true;
    if (beginsWith !== undefined) return { kind: 'given', plan: beginsWith };
    const { good } = this.kept;
    const kept = resume ? good : undefined;
    const objection = kept === undefined ? undefined : this.#resumeObjection(kept);
    if (kept !== undefined && objection === undefined) return { kind: 'resumed', plan: kept.plan };
    return { ...(await this.#planNow()), ...(objection === undefined ? {} : { passedOver: objection }) };
  }

  /** Pins set by hand are ignored if no plan fits with them. */
  async #planNow(): Promise<Extract<FirstPlan, { kind: 'made' }>> {
    const { policy, arrivalRps } = this.#options;
    const question = { kind: 'plan', policy, arrivalRps, verify: true } as const;
    const { pins } = this.control;
    const pinned = await this.#planner.ask({ ...question, assuming: { pins } });
    const kept = planOfResult(pinned);
    if (kept !== undefined) return { kind: 'made', plan: kept, result: pinned };
    const isPinned = Object.keys(pins).length > 0;
    const result = isPinned ? await this.#planner.ask(question) : pinned;
    const plan = planOfResult(result);
    if (plan === undefined) throw nothingFits(this.#served.spec, result);
    const lostPins = lostPinsText(pins, pinned);
    this.control.losePins(lostPins);
    return { kind: 'made', plan, result, lostPins };
  }

  #resumeObjection({ plan, specDigest: digest }: GoodPlan): string | undefined {
    const { setup, specDigest } = this.#served;
    if (digest !== specDigest) return 'the pipeline file has changed since it was made';
    return resumeObjection(setup.spec, plan, this.#curves);
  }

  /** Restores learned state. If that fails, only learned state is lost. */
  async #resumeLearned(): Promise<void> {
    const { controller } = this.kept;
    if (Object.keys(controller).length === 0) return;
    await this.#faults.attempt('decide', async () => {
      await this.#planner.ask({ kind: 'resume', kept: controller });
      this.#follow(controller);
    });
    this.#planner.remember(controller);
  }

  /** Applies and records the first plan. */
  async begin(first: FirstPlan): Promise<void> {
    const { plan } = first;
    const isResumed = first.kind === 'resumed';
    const rps = isResumed ? plan.predicted.capacityRps : this.#options.arrivalRps;
    const forecast = { method: isResumed ? 'capacity' : 'given', meanRps: rps, upperRps: rps };
    const { robustness } = this.#served.spec;
    const decision = {
      kind: 'apply' as const,
      plan,
      changes: diffPlans(this.actuator.runningPlan(), plan, this.#served.setup.spec),
      reason: firstReason(first, this.#options.policy),
      evidence: {
        forecast,
        ...(first.kind === 'made' ? { result: first.result } : {}),
        ...(robustness === undefined ? {} : { robustness }),
        ...profileEvidence(this.#options.profiles),
      },
    };
    await this.loop.enact(this.#look(), decision, { trigger: 'start' });
    const { announces = false, arrivalRps } = this.#options;
    if (announces) this.#announced = { arrivalRps, sinceMs: this.runner.nowMs };
    await this.loop.settled();
  }

  get spec(): PipelineSpec {
    return this.#served.spec;
  }

  diagnosisOf({ recorder }: ServedHistory): PipelineDiagnosis {
    return new PipelineDiagnosis({
      recorder,
      decisions: (page) => this.#log.summaries(page),
      ask: (question) => this.#adviser.ask({ kind: 'diagnose', question }),
      epochNowMs: Date.now,
    });
  }

  /** Call after warm-up, whose requests are neither compared nor part of the history. */
  beginHistory(): ServedHistory {
    this.#shadows?.start();
    this.#history = new ServedHistory({
      runner: this.runner,
      spec: () => this.#served.setup.spec,
      curves: this.#curves,
      runningPlan: () => this.actuator.runningPlan(),
      epochNowMs: Date.now,
    });
    return this.#history;
  }

  /** Takes effect between two ticks. */
  reload(spec: PipelineSpec): Promise<boolean> {
    return this.loop.turn(() => this.#reload(spec));
  }

  async #reload(spec: PipelineSpec): Promise<boolean> {
    const before = this.#served;
    if (isSameSpec(before.spec, spec)) return false;
    checkReplaceable(before.spec, spec, this.#options.fixed);
    const served = servedSpec(spec, this.#options.profiles);
    await this.#planner.reload(served.setup);
    try {
      await this.#adviser.reload(served.setup);
    } catch (error) {
      await this.#planner.reload(before.setup);
      throw error;
    }
    this.#served = served;
    this.runner.setSloLatency(spec.slo.latencyMs);
    this.runner.setAdmission(served.answering.admission);
    this.runner.setHostCores(served.setup.hostCores);
    this.runner.accuracy?.follow(spec);
    this.#setBounds();
    await this.#saveSetup();
    this.#followMode(before.spec.control.mode, spec.control.mode);
    this.loop.intervalChanged();
    this.loop.replan();
    return true;
  }

  /** A new mode in the file counts as a change by hand, unless the command line set the mode. */
  #followMode(before: ControlMode, mode: ControlMode): void {
    if (mode === before || this.#options.mode !== undefined || this.#follows) return;
    this.control[actions[mode]]('the pipeline file asks for it');
  }

  async #saveSetup(): Promise<void> {
    const { setup, setupDigest } = this.#served;
    await this.#faults.attempt('store', () => this.#store.saveSetup(setupDigest, setup, Date.now()));
  }

  /** Applies the plan of the lead as it is: the lead has tried it. Rejects with the first error. */
  follow(plan: Plan): Promise<void> {
    const { runner, actuator } = this;
    return this.loop.turn(async () => {
      const startedAtMs = runner.nowMs;
      for (const change of diffPlans(actuator.runningPlan(), plan, this.#served.setup.spec))
        await actuator.apply({ ...change, atOnce: true });
      this.#options.report({ kind: 'in-force', plan, tookMs: runner.nowMs - startedAtMs });
    });
  }

  /** Gives stages the replicas that their servers have: now, as far as they start, and from now on. */
  async followAddresses(plan: Plan): Promise<void> {
    const { spec, resolve } = this.#options;
    const stages = spec.stages.filter(followsAddresses).map(({ id, variants, bounds }) => {
      const urls = variants.flatMap(({ server }) => server?.urls ?? []);
      return { stageId: id, mostReplicas: bounds.maxReplicas, addresses: () => serverAddresses({ urls }, resolve) };
    });
    if (stages.length === 0) return;
    this.#follower = new AddressFollower({
      stages,
      actuator: this.actuator,
      plan,
      onChanged: (tookMs) => void this.#reportFollowed(plan, tookMs),
      onFailure: (step, error) => this.#faults.raise(step, error),
      onRecovery: (step) => this.#faults.clear(step),
    });
    await this.#follower.lookOnce();
    if (this.#closed === undefined) this.#follower.start();
  }

  /** Reports the plan in force, whose replicas are those of the addresses, with its prediction if there is one. */
  async #reportFollowed(first: Plan, tookMs: number): Promise<void> {
    const { spec } = this.#served;
    const running = this.actuator.runningPlan();
    const followed = spec.stages.filter(followsAddresses).map(({ id }) => {
      const replicas = liveReplicas(running.stages[id]).length;
      return [id, (first.stages[id] ?? []).map((each) => ({ ...each, replicas }))] as const;
    });
    const plan = planOfStages(spec, { ...first.stages, ...Object.fromEntries(followed) });
    this.#followedReports += 1;
    const report = this.#followedReports;
    const arrivalRps = smoothedRate(this.#look().load).upperRps;
    const estimate = await this.#planner
      .ask({ kind: 'estimate', stages: plan.stages, arrivalRps })
      .catch(() => undefined);
    // A later change has its own report.
    if (report !== this.#followedReports || this.#closed !== undefined) return;
    this.#options.report({
      kind: 'in-force',
      plan: { ...plan, predicted: { ...plan.predicted, ...estimate } },
      tookMs,
    });
  }

  /** Without the surge, changes use no cores above the budget. */
  setSurge(hasSurge: boolean): void {
    if (hasSurge === this.#hasSurge) return;
    this.#hasSurge = hasSurge;
    this.#setBounds();
  }

  #setBounds(): void {
    const { spec } = this.#served.setup;
    this.actuator.setBounds(this.#hasSurge ? spec : { ...spec, control: { ...spec.control, surgeCpuCores: 0 } });
  }

  /** Adapts the plan from now on, with the saved state of the previous lead. Call with the claim on that state. */
  async takeLead({ begins }: { readonly begins: boolean }): Promise<void> {
    const { profiles, mode } = this.#options;
    const { spec } = this.#served;
    const read = () => readSavedState(this.#store, spec, { profiles, resumes: true });
    this.kept = (await this.#faults.attempt('store', read)) ?? NO_SAVED_STATE;
    const { wishes, lostPins } = this.kept;
    this.#follows = false;
    this.#log.continueAfter(this.kept.lastDecisionId);
    this.control.takeOver({
      mode: mode ?? wishes.mode ?? spec.control.mode,
      pins: wishes.pins,
      ...(lostPins && { lostPins }),
    });
    // Without replicas, the first plan comes next, and resumes too.
    if (!begins) return;
    await this.#resumeLearned();
    this.#hasRestored = true;
    this.loop.start();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const saveLast = this.#hasRestored && !this.#options.fixed && !this.#follows ? this.#saveLast() : undefined;
    this.#history?.close();
    this.#follower?.close();
    const stopped = this.loop.stop();
    await saveLast;
    await Promise.all([this.#planner.close(), this.#adviser.close()]);
    await stopped;
    this.runner.beginDraining();
    await this.runner.drained;
    await Promise.all([this.actuator.close(), this.#shadows?.close()]);
    await this.#log.settled();
    await this.#store.close();
  }

  /** Saves the last state, unless the planner is busy for too long. */
  async #saveLast(): Promise<void> {
    const asked = this.#planner.ask({ kind: 'keep' }).catch(() => undefined);
    const kept = await Promise.race([asked, setTimeout(LAST_SAVE_MS, undefined, { ref: false })]);
    if (kept !== undefined) await this.#keep(kept);
  }

  async #keep(kept: ControllerSnapshot): Promise<void> {
    const { profiles } = this.#options;
    await this.#faults.attempt('store', () => saveLearned(this.#store, this.#served.spec, { kept, profiles }));
  }

  /** Drop rules use corrected service times; the adviser also uses learned edges. */
  #follow({ service, edges }: ControllerSnapshot): void {
    if (service === undefined && edges === undefined) return;
    const { spec, profiles } = this.#options;
    this.#adviser.follow({ ...(service && { service }), ...(edges && { edges }) });
    if (service === undefined) return;
    this.#policies.follow(requireCurves(spec, correctedProfiles(spec, profiles, service.corrections)));
  }

  #controlLoop(): ControlLoop {
    const { spec, report, policy, fixed, adaptsBy = 'equipoise' } = this.#options;
    const served = () => this.#served;
    return new ControlLoop({
      get specDigest() {
        return served().specDigest;
      },
      get setupDigest() {
        return served().setupDigest;
      },
      mode: () => this.control.mode,
      pins: () => this.control.pins,
      get intervalMs() {
        if (typeof adaptsBy !== 'string') return adaptsBy.intervalMs;
        return tickMs({ spec: served().spec, policy: controlPolicies[adaptsBy] });
      },
      clock: { nowMs: () => performance.now() },
      epochNowMs: Date.now,
      look: () => this.#look(),
      observe: () => ({
        ...this.#look(),
        batches: this.#batches.take(),
        edges: this.runner.takeEdgeCounts(),
      }),
      planner: typeof adaptsBy === 'string' ? this.#planner : ownTicks(this.#planner, adaptsBy),
      actuator: this.actuator,
      log: this.#log,
      outcomes: new OutcomeTracker(this.runner, spec.slo.percentile),
      faults: this.#faults,
      // Only a server that adapts its plan saves plans. A router that follows has no decisions.
      keepsPlans: policy === 'equipoise' && !fixed,
      onChanged: () => {
        this.#ages.note(this.actuator.runningPlan(), this.runner.nowMs);
        for (const faults of this.#dropFaults) faults.check();
      },
      onLearned: (kept) => {
        this.#planner.remember(kept);
        this.#follow(kept);
        void this.#keep(kept);
      },
      report,
    });
  }

  #pipelineControl(): PipelineControl {
    const { spec, report, fixed, mode } = this.#options;
    const { wishes, lostPins = [] } = this.kept;
    const served = () => this.#served;
    const follows = () => this.#follows;
    return new PipelineControl({
      get follows() {
        return follows();
      },
      get spec() {
        return served().setup.spec;
      },
      get specDigest() {
        return served().specDigest;
      },
      get setupDigest() {
        return served().setupDigest;
      },
      mode: fixed || this.#follows ? 'off' : (mode ?? wishes.mode ?? spec.control.mode),
      pins: wishes.pins,
      lostPins,
      isFixed: fixed,
      loop: this.loop,
      log: this.#log,
      store: this.#store,
      faults: this.#faults,
      actuator: this.actuator,
      curves: this.#curves,
      profiles: this.#options.profiles,
      epochNowMs: Date.now,
      look: () => this.#look(),
      frontier: (arrivalRps, assuming) =>
        this.#adviser.ask({ kind: 'frontier', arrivalRps, assuming, mostPoints: FRONTIER_POINTS }),
      plan: ({ policy, arrivalRps, verify, ...assuming }) =>
        this.#adviser.ask({ kind: 'plan', policy, arrivalRps, verify, assuming }),
      estimate: (stages, arrivalRps) => {
        const asked = this.#adviser.ask({ kind: 'estimate', stages, arrivalRps }).catch(() => undefined);
        return Promise.race([asked, setTimeout(ESTIMATE_MS, undefined, { ref: false })]);
      },
      report,
    });
  }

  /** The announced rate, with the time of the first request once there is one. */
  #announcedLoad(): Observation['announced'] {
    const { latestArrivalAtMs: firstArrivalAtMs } = this.runner.statistics;
    const announced = this.#announced;
    if (announced !== undefined && announced.firstArrivalAtMs === undefined && firstArrivalAtMs !== undefined)
      this.#announced = { ...announced, firstArrivalAtMs };
    return this.#announced;
  }

  #look(): Observation {
    const { runner, actuator } = this;
    const { statistics, nowMs: atMs } = runner;
    const announced = this.#announcedLoad();
    return buildObservation({
      atMs,
      ...(announced && { announced }),
      load: this.#options.routers?.load(statistics.load(atMs), atMs) ?? statistics.load(atMs),
      stages: Object.entries(runner.stageCounts()).map(([id, { queueLength, dropped }]) => ({
        id: id as StageId,
        queueLength,
        droppedTotal: Object.values(dropped).reduce((sum, count) => sum + count, 0),
      })),
      dwell: this.#ages,
      runningPlan: actuator.runningPlan(),
      failedTotal: statistics.failedHere,
    });
  }
}
