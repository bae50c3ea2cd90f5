/**
 * A pipeline put together and running: data plane, replicas on this machine, control loop, planning thread and store. `serve` and
 * `demo` start it; everything they need to watch or stop it is in what this returns.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EmbeddedActuator } from '@equipoise/adapter-embedded';
import {
  AppError,
  type BatchTimes,
  type ControlMode,
  changeBounds,
  controlPolicies,
  diffPlans,
  type GoodPlan,
  type KeptController,
  type Observation,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  type PolicyName,
  type ProfileSet,
  requireCurves,
  type ServiceCurves,
  ServingPolicies,
  type StageId,
  type StageObservation,
  scaledProfiles,
  tickMs,
  VariantAges,
} from '@equipoise/core';
import {
  ControlLoop,
  canonicalJson,
  DecisionLog,
  type LoopEvent,
  OutcomeWatch,
  PipelineControl,
  type PipelineMonitor,
  PipelineRunner,
  Planner,
  type PlanningSetup,
  StageTypes,
  StandingFaults,
  sha256,
  specDigest,
  ThreadedPlanStore,
} from '@equipoise/runtime';
import { embeddedLauncher } from './embedded-launcher.js';
import { servingHostCores, servingSpec } from './host-cores.js';
import { type KeptState, keepLearned, readKeptState } from './kept-state.js';
import { MeasuredBatches } from './measured-batches.js';
import { StageInputs, warmUpPipeline } from './warm-up.js';

/** How to start. */
export interface StartOptions {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Load to plan for when no plan is kept from before. */
  readonly arrivalRps: number;
  readonly policy: PolicyName;
  /** Keep the first plan. */
  readonly fixed: boolean;
  /** What the loop does; left out, what a person asked for last, or else what the pipeline file says. */
  readonly mode?: ControlMode;
  /** Go on with the last good plan of the store, if it was made for the same pipeline. */
  readonly resume: boolean;
  /** Go on with what was learned and with what a person asked for before; as `resume` when left out. */
  readonly resumeLearned?: boolean;
  /** Name of the file beside the pipeline's profiles that keeps its plan and decisions; `state.db` when left out. */
  readonly stateFile?: string;
  /** Ends a start under way: what has started is closed and `startPipeline` rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly report: (event: LoopEvent) => void;
  /** Takes the ports before anything starts; what it throws ends the start. */
  readonly listen?: (parts: Pick<RunningPipeline, 'runner' | 'stageTypes'>) => Promise<void>;
  /** Told of the control loop from the start on and of requests once the replicas are warm. */
  readonly monitor?: PipelineMonitor;
}

/** Where the first plan comes from: made now (as `result` says), or kept from before. `passedOver` is why a kept plan was not taken. */
export type FirstPlan =
  | { readonly kind: 'resumed'; readonly plan: Plan }
  | { readonly kind: 'made'; readonly plan: Plan; readonly result: PlanResult; readonly passedOver?: string };

/** A running pipeline. */
export interface RunningPipeline {
  readonly spec: PipelineSpec;
  readonly runner: PipelineRunner;
  /** What a person may do to it. */
  readonly control: PipelineControl;
  /** What was kept from before. */
  readonly kept: KeptState;
  /** Tensors seen at its stages. */
  readonly stageTypes: StageTypes;
  readonly actuator: EmbeddedActuator;
  readonly firstPlan: Plan;
  readonly first: FirstPlan;
  /** Drains, stops everything and closes the store; a second call waits for the first. */
  close(): Promise<void>;
}

/** Seed of the planner's simulations. */
const SEED = 1;

/** Longest wait at the end for what was learned last. */
const LAST_WORD_MS = 1000;

/** Starts a pipeline and resolves when its first plan is in force and warm. */
export async function startPipeline(asked: StartOptions): Promise<RunningPipeline> {
  const options = { ...asked, report: reportOf(asked) };
  const { spec, signal, resume, resumeLearned = resume } = options;
  signal?.throwIfAborted();
  const store = await ThreadedPlanStore.open(join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db'));
  const parts = await partsOver(store, options, resumeLearned);
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await options.listen?.(parts);
    signal?.throwIfAborted();
    const first = await parts.firstPlan();
    signal?.throwIfAborted();
    await parts.begin(first);
    signal?.throwIfAborted();
    await warmUpPipeline(parts.runner, options.spec);
    signal?.throwIfAborted();
    const { runner, actuator } = parts;
    options.monitor?.watch({ runner, runningPlan: () => actuator.runningPlan() });
    if (!options.fixed) parts.loop.start();
    return {
      spec,
      runner: parts.runner,
      control: parts.control,
      kept: parts.kept,
      stageTypes: parts.stageTypes,
      actuator: parts.actuator,
      firstPlan: first.plan,
      first,
      close: () => parts.close(),
    };
  } catch (error) {
    await parts.close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Whoever watches, and the metrics. */
function reportOf({ monitor, report }: StartOptions): StartOptions['report'] {
  return (event) => {
    monitor?.noteLoop(event);
    report(event);
  };
}

async function partsOver(store: ThreadedPlanStore, options: StartOptions, resumes: boolean): Promise<PipelineParts> {
  const { spec, profiles } = options;
  try {
    return new PipelineParts(options, store, await readKeptState(store, spec, { profiles, resumes }));
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The parts and how they are wired. */
class PipelineParts {
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly loop: ControlLoop;
  readonly control: PipelineControl;
  readonly kept: KeptState;
  readonly stageTypes = new StageTypes();
  readonly #options: StartOptions;
  readonly #curves: ServiceCurves;
  readonly #store: ThreadedPlanStore;
  readonly #setup: PlanningSetup;
  readonly #setupDigest: string;
  readonly #faults: StandingFaults;
  readonly #log: DecisionLog;
  readonly #planner: Planner;
  /** Answers questions of what would be, which must not hold up a tick. */
  readonly #adviser: Planner;
  readonly #ages = new VariantAges();
  readonly #batches = new MeasuredBatches();
  #closed: Promise<void> | undefined;

  constructor(options: StartOptions, store: ThreadedPlanStore, kept: KeptState) {
    const { spec, profiles, report } = options;
    const curves = requireCurves(spec, profiles);
    const inputs = new StageInputs();
    this.kept = kept;
    this.#options = options;
    this.#curves = curves;
    this.#store = store;
    const hostCores = servingHostCores(spec);
    this.#setup = { spec: servingSpec(spec), profiles, hostCores, seed: SEED };
    this.#setupDigest = sha256(canonicalJson(this.#setup));
    this.#faults = new StandingFaults(Date.now, report);
    this.#log = new DecisionLog({
      ...{ pipelineName: spec.name, store, faults: this.#faults, report },
      lastId: kept.lastDecisionId,
    });
    this.#planner = new Planner(this.#setup);
    this.#adviser = new Planner(this.#setup);
    this.runner = new PipelineRunner({ spec, hostCores });
    const policies = new ServingPolicies(spec, curves, (stageId, policy) => this.runner.setPolicy(stageId, policy));
    this.actuator = new EmbeddedActuator(servingSpec(spec), {
      pool: this.runner,
      launcher: inputs.watching(this.stageTypes.watching(this.#batches.watching(embeddedLauncher(spec)))),
      warmUpBatch: (stageId) => inputs.batchFor(stageId),
      adopt: (stageId, to) => policies.adopt(stageId, to),
      onFailure: (_stageId, error) => this.#faults.failed('apply', error),
    });
    this.loop = this.#controlLoop();
    this.control = this.#pipelineControl();
  }

  /** The last good plan if it may be resumed, else one made now. */
  async firstPlan(): Promise<FirstPlan> {
    const { resume, policy, arrivalRps } = this.#options;
    await this.#faults.attempt('store', () => this.#store.saveSetup(this.#setupDigest, this.#setup, Date.now()));
    await this.#resumeLearned();
    const { good } = this.kept;
    const kept = resume ? good : undefined;
    const objection = kept === undefined ? undefined : this.#resumeObjection(kept);
    if (kept !== undefined && objection === undefined) return { kind: 'resumed', plan: kept.plan };
    const question = { kind: 'plan', policy, arrivalRps, verify: true } as const;
    const result = await this.#planner.ask({ ...question, assuming: { pins: this.control.pins } });
    const plan = planOfResult(result);
    return { kind: 'made', plan, result, ...(objection === undefined ? {} : { passedOver: objection }) };
  }

  #resumeObjection({ plan, specDigest: digest }: GoodPlan): string | undefined {
    const { spec } = this.#options;
    if (digest !== specDigest(spec)) return 'the pipeline file has changed since it was made';
    return resumeObjection(servingSpec(spec), plan, this.#curves);
  }

  /** What cannot be resumed costs what was learned and nothing else. */
  async #resumeLearned(): Promise<void> {
    const { controller } = this.kept;
    if (controller.learning === undefined && controller.service === undefined) return;
    await this.#faults.attempt('decide', () => this.#planner.ask({ kind: 'resume', kept: controller }));
    this.#planner.remember(controller);
  }

  /** Puts the first plan in force, recorded as a decision. */
  async begin(first: FirstPlan): Promise<void> {
    const { plan } = first;
    const rps = first.kind === 'made' ? this.#options.arrivalRps : plan.predicted.capacityRps;
    const forecast = { method: first.kind === 'made' ? 'given' : 'capacity', meanRps: rps, upperRps: rps };
    const scaled = scaledProfiles(this.#options.profiles);
    const decision = {
      kind: 'apply' as const,
      plan,
      changes: diffPlans(this.actuator.runningPlan(), plan, changeBounds(this.#setup.spec)),
      reason: firstReason(first, this.#options.policy),
      evidence: {
        forecast,
        ...(first.kind === 'made' ? { result: first.result } : {}),
        ...(scaled.length === 0 ? {} : { scaledProfiles: scaled }),
      },
    };
    await this.loop.enact(this.#observe(), decision, { trigger: 'start' });
    await this.loop.settled();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const lastWord = this.#options.fixed ? undefined : this.#lastWord();
    const stopped = this.loop.stop();
    await lastWord;
    // What it still plans is no longer wanted.
    await Promise.all([this.#planner.close(), this.#adviser.close()]);
    await stopped;
    this.runner.beginDraining();
    await this.runner.drained;
    await this.actuator.close();
    await this.#log.settled();
    await this.#store.close();
  }

  /** Keeps what was learned since it was kept last, unless a plan under way makes that take long. */
  async #lastWord(): Promise<void> {
    const asked = this.#planner.ask({ kind: 'keep' }).catch(() => undefined);
    const kept = await Promise.race([asked, setTimeout(LAST_WORD_MS, undefined, { ref: false })]);
    if (kept !== undefined) await this.#keep(kept);
  }

  async #keep(kept: KeptController): Promise<void> {
    const { spec, profiles } = this.#options;
    await this.#faults.attempt('store', () => keepLearned(this.#store, spec, { kept, profiles }));
  }

  #controlLoop(): ControlLoop {
    const { spec, report, policy } = this.#options;
    return new ControlLoop({
      pipelineName: spec.name,
      specDigest: specDigest(spec),
      setupDigest: this.#setupDigest,
      mode: () => this.control.mode,
      intervalMs: tickMs({ spec, policy: controlPolicies.equipoise }),
      clock: { nowMs: () => performance.now() },
      epochNowMs: Date.now,
      observe: () => this.#observe(this.#batches.take()),
      decide: (observation, circumstances) =>
        this.#planner.ask({ kind: 'tick', observation, pins: this.control.pins, ...circumstances }),
      actuator: this.actuator,
      store: this.#store,
      log: this.#log,
      outcomes: new OutcomeWatch(this.runner, spec.slo.percentile),
      faults: this.#faults,
      keepsPlans: policy === 'equipoise',
      onChanged: () => this.#ages.note(this.actuator.runningPlan(), this.runner.nowMs),
      onLearned: (kept) => {
        this.#planner.remember(kept);
        void this.#keep(kept);
      },
      report,
    });
  }

  #pipelineControl(): PipelineControl {
    const { spec, report, fixed, mode } = this.#options;
    const { wishes } = this.kept;
    return new PipelineControl({
      spec: this.#setup.spec,
      specDigest: specDigest(spec),
      setupDigest: this.#setupDigest,
      mode: fixed ? 'off' : (mode ?? wishes.mode ?? spec.control.mode),
      pins: wishes.pins,
      isFixed: fixed,
      loop: this.loop,
      log: this.#log,
      store: this.#store,
      faults: this.#faults,
      actuator: this.actuator,
      epochNowMs: Date.now,
      look: () => this.#observe(),
      plan: ({ policy, arrivalRps, verify, ...assuming }) =>
        this.#adviser.ask({ kind: 'plan', policy, arrivalRps, verify, assuming }),
      report,
    });
  }

  /** `batches` are those that a tick takes in. */
  #observe(batches: readonly BatchTimes[] = []): Observation {
    const { runner, actuator } = this;
    const stages: Record<StageId, StageObservation> = {};
    for (const [id, { queueLength, dropped }] of Object.entries(runner.stageCounts())) {
      const variantSinceMs = this.#ages.sinceMs(id as StageId);
      stages[id as StageId] = {
        queueLength,
        droppedTotal: Object.values(dropped).reduce((sum, count) => sum + count, 0),
        ...(variantSinceMs === undefined ? {} : { variantSinceMs }),
      };
    }
    const load = runner.statistics.load(runner.nowMs);
    return { atMs: runner.nowMs, load, stages, runningPlan: actuator.runningPlan(), batches, staleSources: [] };
  }
}

function planOfResult(result: PlanResult): Plan {
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) {
    throw new AppError('INFEASIBLE', 'No plan fits the budget and bounds of this pipeline.', { details: { result } });
  }
  return plan;
}

/** Why a kept plan cannot run here and now, if so: profiles and machine may have changed since. */
export function resumeObjection(
  { budget }: Pick<PipelineSpec, 'budget'>,
  { stages, predicted }: Pick<Plan, 'stages' | 'predicted'>,
  curves: Pick<ServiceCurves, 'curve'>,
): string | undefined {
  for (const [id, [stagePlan]] of Object.entries(stages)) {
    if (stagePlan === undefined) continue;
    const { variantId, resources } = stagePlan;
    if (curves.curve(id as StageId, variantId, resources.cpuCores) === undefined) {
      return `the profile of ${id}/${variantId} says nothing of ${resources.cpuCores} cores`;
    }
  }
  if (predicted.cpuCores <= (budget.cpuCores ?? Number.POSITIVE_INFINITY)) return undefined;
  return `it takes ${predicted.cpuCores} cores where there are ${budget.cpuCores}`;
}

function firstReason(first: FirstPlan, policy: PolicyName): string {
  if (first.kind === 'resumed') return 'the last good plan of before';
  if (first.result.kind === 'feasible') return `the first plan, by ${policy}`;
  return `the first plan, a best effort: no plan is feasible, the ${first.result.bindingConstraint} binds`;
}
