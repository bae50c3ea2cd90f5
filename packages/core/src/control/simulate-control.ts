/**
 * The control loop in simulated time: the same `onTick`, the same policies, the load times of the profile. What would the loop make
 * of a load, and what would the load's requests see?
 */
import type { Forecaster } from '../forecast/forecaster.js';
import { SeededRng } from '../kernel/rng.js';
import type { Decision } from '../model/decision.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { RunningPlan } from '../model/running-plan.js';
import { requireCurves } from '../profile/curves-of.js';
import type { ArrivalProcess } from '../simulate/arrivals/arrival-process.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type SimulatedController, type SimulationRun, simulatePlan } from '../simulate/simulate-plan.js';
import type { ControlPolicy } from './control-policy.js';
import { type ControlContext, onTick } from './on-tick.js';
import { planThatRuns } from './plan-that-runs.js';

/** What to simulate; `hostCores` as in a plan's verification. */
export interface ControlSetup {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly firstPlan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly hostCores: number;
  readonly seed: number;
  readonly policy: ControlPolicy;
  readonly forecaster: Forecaster;
  readonly targetAt?: ControlContext['targetAt'];
  /** Where verdicts come from; by default simulations of this pipeline with this seed. */
  readonly verifierAt?: ControlContext['verifierAt'];
  readonly measureFromMs?: number;
  /** Told the simulated time at every tick. */
  readonly onTickAt?: (atMs: number) => void;
}

/** A controlled run: its counts and every decision with its instant. */
export interface ControlledRun extends SimulationRun {
  readonly decisions: readonly { readonly atMs: number; readonly decision: Decision }[];
}

/** Simulates the loop; throws AppError PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice. */
export function simulateControl(setup: ControlSetup): ControlledRun {
  const { spec, profiles, firstPlan, arrivals, hostCores, seed, policy, forecaster, targetAt } = setup;
  const curves = requireCurves(spec, profiles);
  const verifierAt = setup.verifierAt ?? verifiersOf({ spec, curves, hostCores, seed });
  const context = { spec, profiles, curves, verifierAt, policy, forecaster, ...(targetAt && { targetAt }) };
  const decisions: { atMs: number; decision: Decision }[] = [];
  const controller: SimulatedController = {
    intervalMs: spec.control.intervalMs,
    decide: (observation) => {
      const decision = onTick(context, observation);
      decisions.push({ atMs: observation.atMs, decision });
      setup.onTickAt?.(observation.atMs);
      return decision.kind === 'apply' ? decision.changes : [];
    },
    loadMs: (stageId, variantId) => loadMs({ spec, profiles }, stageId, variantId),
  };
  const run = simulatePlan({
    ...{ spec, curves, plan: firstPlan, arrivals, hostCores, controller },
    rng: new SeededRng(seed),
    drops: true,
    measureFromMs: setup.measureFromMs ?? 0,
    accuracyOf: (running) => runningAccuracy(spec, running),
  });
  return { ...run, decisions };
}

/** Accuracy (fraction) of what runs, 0 while a stage has no ready replica; a stage in the middle of a change counts as what serves most. */
export function runningAccuracy(spec: PipelineSpec, running: RunningPlan): number {
  return planThatRuns(spec, running)?.predicted.pas ?? 0;
}

function loadMs(
  { spec, profiles }: Pick<ControlSetup, 'spec' | 'profiles'>,
  ...[stageId, variantId]: Parameters<SimulatedController['loadMs']>
): number {
  const measured = profiles.find((profile) => profile.stageId === stageId && profile.variantId === variantId)?.loadMs;
  const declared = spec.stages.find(({ id }) => id === stageId)?.variants.find(({ id }) => id === variantId)?.loadMs;
  return measured ?? declared ?? 0;
}
