/**
 * A pipeline put together and running: data plane, replicas on this machine, control loop, planning thread and store. `serve` and
 * `demo` start it; everything they need to watch or stop it is in what this returns.
 */
import { join } from 'node:path';
import { EmbeddedActuator } from '@equipoise/adapter-embedded';
import {
  AppError,
  changeBounds,
  controlPolicies,
  diffPlans,
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
  type LoopEvent,
  type PipelineMonitor,
  PipelineRunner,
  Planner,
  SqlitePlanStore,
  StageTypes,
  specDigest,
} from '@equipoise/runtime';
import { embeddedLauncher } from './embedded-launcher.js';
import { servingHostCores, servingSpec } from './host-cores.js';
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
  /** Go on with the last good plan of the store, if it was made for the same pipeline. */
  readonly resume: boolean;
  /** Name of the file beside the pipeline's profiles that keeps its plan and decisions; `state.db` when left out. */
  readonly stateFile?: string;
  /** Ends a start under way: what has started is closed and `startPipeline` rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly report: (event: LoopEvent) => void;
  /** Told of the control loop from the start on and of requests once the replicas are warm. */
  readonly monitor?: PipelineMonitor;
}

/** Where the first plan comes from: made now (as `result` says), or kept from before. `passedOver` is why a kept plan was not taken. */
export type FirstPlan =
  | { readonly kind: 'resumed'; readonly plan: Plan }
  | { readonly kind: 'made'; readonly plan: Plan; readonly result: PlanResult; readonly passedOver?: string };

/** A running pipeline. */
export interface RunningPipeline {
  readonly runner: PipelineRunner;
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

/** Starts a pipeline and resolves when its first plan is in force and warm. */
export async function startPipeline(options: StartOptions): Promise<RunningPipeline> {
  const { signal } = options;
  signal?.throwIfAborted();
  const parts = new PipelineParts(options);
  const abort = () =>
    void parts.close().catch((error: unknown) => options.report({ kind: 'failed', step: 'apply', error }));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const first = await parts.firstPlan();
    signal?.throwIfAborted();
    await parts.begin(first);
    signal?.throwIfAborted();
    await warmUpPipeline(parts.runner, options.spec);
    signal?.throwIfAborted();
    const { runner, actuator } = parts;
    options.monitor?.watch({ runner, runningPlan: () => actuator.runningPlan() });
    if (!options.fixed && options.spec.control.mode !== 'off') parts.loop.start();
    return {
      runner: parts.runner,
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

/** The parts and how they are wired. */
class PipelineParts {
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly loop: ControlLoop;
  readonly stageTypes = new StageTypes();
  readonly #options: StartOptions;
  readonly #curves: ServiceCurves;
  readonly #store: SqlitePlanStore;
  readonly #planner: Planner;
  readonly #ages: VariantAges;
  readonly #batches = new MeasuredBatches();
  #closed: Promise<void> | undefined;

  constructor(options: StartOptions) {
    const { spec, profiles } = options;
    const report = (event: LoopEvent) => this.#report(event);
    const curves = requireCurves(spec, profiles);
    const inputs = new StageInputs();
    this.#options = options;
    this.#curves = curves;
    this.#store = new SqlitePlanStore(join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db'));
    const hostCores = servingHostCores(spec);
    this.#planner = new Planner({ spec: servingSpec(spec), profiles, hostCores, seed: SEED });
    this.#ages = new VariantAges();
    this.runner = new PipelineRunner({ spec, hostCores });
    const policies = new ServingPolicies(spec, curves, (stageId, policy) => this.runner.setPolicy(stageId, policy));
    this.actuator = new EmbeddedActuator(servingSpec(spec), {
      pool: this.runner,
      launcher: inputs.watching(this.stageTypes.watching(this.#batches.watching(embeddedLauncher(spec)))),
      warmUpBatch: (stageId) => inputs.batchFor(stageId),
      adopt: (stageId, to) => policies.adopt(stageId, to),
      onFailure: (_stageId, error) => report({ kind: 'failed', step: 'apply', error }),
    });
    this.loop = this.#controlLoop();
  }

  /** The last good plan if it may be resumed, else one made now. */
  async firstPlan(): Promise<FirstPlan> {
    const { spec, resume, policy, arrivalRps } = this.#options;
    const kept = resume ? this.#store.lastGoodPlan(spec.name, specDigest(spec)) : undefined;
    const objection = kept === undefined ? undefined : resumeObjection(servingSpec(spec), kept, this.#curves);
    if (kept !== undefined && objection === undefined) return { kind: 'resumed', plan: kept };
    const result = await this.#planner.ask({ kind: 'plan', policy, arrivalRps, verify: true });
    const plan = planOfResult(result);
    return { kind: 'made', plan, result, ...(objection === undefined ? {} : { passedOver: objection }) };
  }

  /** Puts the first plan in force, recorded as a decision. */
  async begin(first: FirstPlan): Promise<void> {
    const { plan } = first;
    const rps = first.kind === 'made' ? this.#options.arrivalRps : plan.predicted.capacityRps;
    const forecast = { method: first.kind === 'made' ? 'given' : 'capacity', meanRps: rps, upperRps: rps };
    const scaled = scaledProfiles(this.#options.profiles);
    await this.loop.enact(this.#observe(), {
      kind: 'apply',
      plan,
      changes: diffPlans(this.actuator.runningPlan(), plan, changeBounds(servingSpec(this.#options.spec))),
      reason: firstReason(first, this.#options.policy),
      evidence: {
        forecast,
        ...(first.kind === 'made' ? { result: first.result } : {}),
        ...(scaled.length === 0 ? {} : { scaledProfiles: scaled }),
      },
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const stopped = this.loop.stop();
    // What it still plans is no longer wanted.
    await this.#planner.close();
    await stopped;
    this.runner.beginDraining();
    await this.runner.drained;
    await this.actuator.close();
    this.#store.close();
  }

  #controlLoop(): ControlLoop {
    const { spec } = this.#options;
    return new ControlLoop({
      pipelineName: spec.name,
      specDigest: specDigest(spec),
      mode: spec.control.mode === 'advise' ? 'advise' : 'auto',
      intervalMs: tickMs({ spec, policy: controlPolicies.equipoise }),
      clock: { nowMs: () => performance.now() },
      epochNowMs: () => Date.now(),
      observe: () => this.#observe(),
      decide: (observation) => this.#planner.ask({ kind: 'tick', observation }),
      actuator: this.actuator,
      store: this.#store,
      keepsPlans: this.#options.policy === 'equipoise',
      onChanged: () => this.#ages.note(this.actuator.runningPlan(), this.runner.nowMs),
      report: (event) => this.#report(event),
    });
  }

  #report(event: LoopEvent): void {
    this.#options.monitor?.noteLoop(event);
    this.#options.report(event);
  }

  #observe(): Observation {
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
    const batches = this.#batches.take();
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
