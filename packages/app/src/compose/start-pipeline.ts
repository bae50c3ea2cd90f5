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
  type StageId,
  type StageObservation,
} from '@equipoise/core';
import { ControlLoop, type LoopEvent, PipelineRunner, Planner, SqlitePlanStore, specDigest } from '@equipoise/runtime';
import { embeddedLauncher } from './embedded-launcher.js';
import { plannedHostCores, servingHostCores } from './host-cores.js';
import { VariantAges } from './variant-ages.js';

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

const SEED = 1;

/** Starts a pipeline and resolves when its first plan is in force. */
export async function startPipeline(options: StartOptions): Promise<RunningPipeline> {
  const { spec, profiles, report } = options;
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  const store = new SqlitePlanStore(join(spec.baseDir, '.equipoise', 'state.db'));
  const planner = new Planner({ spec, profiles, hostCores: plannedHostCores(spec), seed: SEED });
  const runner = new PipelineRunner({ spec, hostCores: servingHostCores(spec) });
  const launcher = embeddedLauncher(spec);
  const actuator = new EmbeddedActuator(spec, {
    pool: runner,
    launcher,
    onFailure: (_stageId, error) => report({ kind: 'failed', step: 'apply', error }),
  });
  const ages = new VariantAges(spec);
  const refreshPolicies = () => {
    const running = planThatRuns(spec, actuator.runningPlan());
    if (running === undefined) return;
    batchPolicies(spec, running, curves).forEach((policy, index) => {
      runner.setPolicy((spec.stages[index] as PipelineSpec['stages'][number]).id, policy);
    });
  };
  const loop = new ControlLoop({
    pipelineName: spec.name,
    specDigest: specDigest(spec),
    mode: spec.control.mode === 'advise' ? 'advise' : 'auto',
    intervalMs: spec.control.intervalMs,
    clock: { nowMs: () => performance.now() },
    epochNowMs: () => Date.now(),
    observe: () => observe({ runner, actuator, ages }),
    decide: (observation) => planner.ask({ kind: 'tick', observation }),
    actuator,
    store,
    onChanged: (stageId) => {
      ages.note(actuator.runningPlan(), runner.nowMs, stageId);
      refreshPolicies();
    },
    report,
  });
  const close = once(async () => {
    await loop.stop();
    runner.beginDraining();
    await runner.drained;
    await actuator.close();
    await planner.close();
    store.close();
  });
  try {
    const kept = options.resume ? store.lastGoodPlan(spec.name, specDigest(spec)) : undefined;
    const firstPlan =
      kept ??
      planOfResult(
        await planner.ask({ kind: 'plan', policy: options.policy, arrivalRps: options.arrivalRps, verify: true }),
      );
    await loop.putInForce(firstPlan, diffPlans(actuator.runningPlan(), firstPlan));
    if (!options.fixed && spec.control.mode !== 'off') loop.start();
    return { runner, actuator, firstPlan, resumed: kept !== undefined, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function planOfResult(result: PlanResult): Plan {
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined)
    throw new AppError('INFEASIBLE', 'No plan fits the budget and bounds of this pipeline.', { details: { result } });
  return plan;
}

function observe({
  runner,
  actuator,
  ages,
}: {
  runner: PipelineRunner;
  actuator: EmbeddedActuator;
  ages: VariantAges;
}): Observation {
  const stages: Record<StageId, StageObservation> = {};
  for (const [id, counts] of Object.entries(runner.stageCounts())) {
    const variantSinceMs = ages.sinceMs(id as StageId);
    stages[id as StageId] = {
      queueLength: counts.queueLength,
      droppedTotal: Object.values(counts.dropped).reduce((sum, count) => sum + count, 0),
      ...(variantSinceMs === undefined ? {} : { variantSinceMs }),
    };
  }
  const load = { arrivalsPerSecond: runner.statistics.arrivalsPerSecond(runner.nowMs) };
  return { atMs: runner.nowMs, load, stages, runningPlan: actuator.runningPlan(), staleSources: [] };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}
