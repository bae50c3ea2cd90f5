/**
 * A pipeline put together and running: data plane, replicas on this machine, control loop, planning thread and store. `serve` and
 * `demo` start it; everything they need to watch or stop it is in what this returns.
 */
import { join } from 'node:path';
import { EmbeddedActuator } from '@equipoise/adapter-embedded';
import {
  AppError,
  batchPolicies,
  curvesOf,
  diffPlans,
  type Observation,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  type PolicyName,
  type ProfileSet,
  planThatRuns,
  profileError,
  type ServiceCurves,
  type StageId,
  type StageObservation,
  VariantAges,
} from '@equipoise/core';
import { ControlLoop, type LoopEvent, PipelineRunner, Planner, SqlitePlanStore, specDigest } from '@equipoise/runtime';
import { embeddedLauncher } from './embedded-launcher.js';
import { plannedHostCores, servingHostCores } from './host-cores.js';
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
  readonly report: (event: LoopEvent) => void;
}

/** A running pipeline. */
export interface RunningPipeline {
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly firstPlan: Plan;
  readonly resumed: boolean;
  /** Drains, stops everything and closes the store; a second call waits for the first. */
  close(): Promise<void>;
}

/** Seed of the planner's simulations. */
const SEED = 1;

/** Starts a pipeline and resolves when its first plan is in force and warm. */
export async function startPipeline(options: StartOptions): Promise<RunningPipeline> {
  const parts = new PipelineParts(options);
  try {
    const { plan, resumed } = await parts.firstPlan();
    await parts.loop.putInForce(plan, diffPlans(parts.actuator.runningPlan(), plan));
    await warmUpPipeline(parts.runner, options.spec);
    if (!options.fixed && options.spec.control.mode !== 'off') parts.loop.start();
    return { runner: parts.runner, actuator: parts.actuator, firstPlan: plan, resumed, close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** The parts and how they are wired. */
class PipelineParts {
  readonly runner: PipelineRunner;
  readonly actuator: EmbeddedActuator;
  readonly loop: ControlLoop;
  readonly #options: StartOptions;
  readonly #curves: ServiceCurves;
  readonly #store: SqlitePlanStore;
  readonly #planner: Planner;
  readonly #ages: VariantAges;
  #closed: Promise<void> | undefined;

  constructor(options: StartOptions) {
    const { spec, profiles, report } = options;
    const curves = curvesOf(spec, profiles);
    if (curves.kind === 'invalid') throw profileError(curves.problems);
    const inputs = new StageInputs();
    this.#options = options;
    this.#curves = curves;
    this.#store = new SqlitePlanStore(join(spec.baseDir, '.equipoise', 'state.db'));
    this.#planner = new Planner({ spec, profiles, hostCores: plannedHostCores(spec), seed: SEED });
    this.#ages = new VariantAges();
    this.runner = new PipelineRunner({ spec, hostCores: servingHostCores(spec) });
    this.actuator = new EmbeddedActuator(spec, {
      pool: this.runner,
      launcher: inputs.watching(embeddedLauncher(spec)),
      warmUpBatch: (stageId) => inputs.batchFor(stageId),
      onFailure: (_stageId, error) => report({ kind: 'failed', step: 'apply', error }),
    });
    this.loop = this.#controlLoop();
  }

  /** The last good plan if it may be resumed, else one made now. */
  async firstPlan(): Promise<{ readonly plan: Plan; readonly resumed: boolean }> {
    const { spec, resume, policy, arrivalRps } = this.#options;
    const kept = resume ? this.#store.lastGoodPlan(spec.name, specDigest(spec)) : undefined;
    if (kept !== undefined) return { plan: kept, resumed: true };
    const result = await this.#planner.ask({ kind: 'plan', policy, arrivalRps, verify: true });
    return { plan: planOfResult(result), resumed: false };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.loop.stop();
    this.runner.beginDraining();
    await this.runner.drained;
    await this.actuator.close();
    await this.#planner.close();
    this.#store.close();
  }

  #controlLoop(): ControlLoop {
    const { spec, report } = this.#options;
    return new ControlLoop({
      pipelineName: spec.name,
      specDigest: specDigest(spec),
      mode: spec.control.mode === 'advise' ? 'advise' : 'auto',
      intervalMs: spec.control.intervalMs,
      clock: { nowMs: () => performance.now() },
      epochNowMs: () => Date.now(),
      observe: () => this.#observe(),
      decide: (observation) => this.#planner.ask({ kind: 'tick', observation }),
      actuator: this.actuator,
      store: this.#store,
      onChanged: () => this.#adoptChange(),
      report,
    });
  }

  /** After a change the drop rule expects the service times of what runs now. */
  #adoptChange(): void {
    const { spec } = this.#options;
    const running = this.actuator.runningPlan();
    this.#ages.note(running, this.runner.nowMs);
    const plan = planThatRuns(spec, running);
    if (plan === undefined) return;
    const policies = batchPolicies(spec, plan, this.#curves);
    for (const [index, policy] of policies.entries()) {
      const stage = spec.stages[index];
      if (stage !== undefined) this.runner.setPolicy(stage.id, policy);
    }
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
    const load = { arrivalsPerSecond: runner.statistics.arrivalsPerSecond(runner.nowMs) };
    return { atMs: runner.nowMs, load, stages, runningPlan: actuator.runningPlan(), staleSources: [] };
  }
}

function planOfResult(result: PlanResult): Plan {
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) {
    throw new AppError('INFEASIBLE', 'No plan fits the budget and bounds of this pipeline.', { details: { result } });
  }
  return plan;
}
