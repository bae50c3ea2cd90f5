/**
 * One decision of the control loop, pure: observation in, decision out, with the evidence it rests on.
 *
 * The load is forecast, a plan is made for and verified at the end of the bucket that this load lies in (or of the step of it, where the
 * bucket's end has a dearer plan), and it is applied unless that would gain too little: a plan of (nearly) the same accuracy and cost is
 * not worth restarting replicas for, as long as what runs still meets the SLO at that rate. A stage that switched its variant a moment ago
 * is not switched to a more accurate one again (dwell); switching down to protect the SLO is always allowed. On stale input it holds.
 */
import type { Forecaster } from '../forecast/forecaster.js';
import type { Change } from '../model/change.js';
import type { Decision, DecisionEvidence, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import type { Budget, Objective, PipelineSpec } from '../model/pipeline-spec.js';
import { type Plan, type PlanResult, showsSloMet } from '../model/plan.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { PlanningProblem, VerifyPlan } from '../optimize/planning-problem.js';
import { isWithin, limitsOf, totalUse, useOf } from '../optimize/problem/resource-use.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import type { ControlPolicy } from './control-policy.js';
import { diffPlans } from './diff-plans.js';
import { planInBucket } from './plan-in-bucket.js';
import { type PlanQuestion, rememberedPlan } from './plan-memory.js';
import { planThatRuns } from './plan-that-runs.js';
import { plannedLoad } from './planned-load.js';

/** What stays the same from tick to tick. */
export interface ControlContext {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly curves: ServiceCurves;
  readonly policy: ControlPolicy;
  readonly forecaster: Forecaster;
  /** A verifier for one load; the same for the life of the context, so that it may remember. */
  verifierAt(load: ExpectedLoad): VerifyPlan;
  /** What the plan of a tick is to reach where that changes with time; the spec says it otherwise. */
  readonly targetAt?: (atMs: number) => PlanningTarget;
}

/** Budget and objective in place of those of the spec. */
export interface PlanningTarget {
  readonly budget?: Budget;
  readonly objective?: Objective;
}

/** Least gain in PAS (fraction) that is worth a change while what runs is good enough. */
const WORTHWHILE_PAS = 0.002;
/** Least saving in cost that is worth a change, as a fraction of the running cost: less where cost is what the plan is to minimize. */
const WORTHWHILE_SAVING_FRACTION = { 'max-accuracy': 0.1, weights: 0.1, 'min-cost': 0.02 } as const;

/** What a plan takes from the tick until it is in force: planning, loading, draining. */
const PUTTING_IN_FORCE_MS = 2_000;

/** Decides what to do now. What it remembers it keeps by `standing`: hand in the same object from tick to tick. */
export function onTick(
  standing: ControlContext,
  observation: Observation,
  forecaster: Forecaster = standing.forecaster,
): Decision {
  const spec = { ...standing.spec, ...standing.targetAt?.(observation.atMs) };
  const context: ControlContext = { ...standing, spec };
  const graceMs = spec.control.intervalMs + PUTTING_IN_FORCE_MS;
  const forecast = forecaster(observation.load, graceMs, observation.atMs);
  if (observation.staleSources.length > 0) {
    return {
      kind: 'hold',
      reason: `no fresh input from ${observation.staleSources.join(', ')}`,
      evidence: { forecast },
    };
  }
  const { runningPlan } = observation;
  const { load, result } = planInBucket(plannedLoad(spec, { observation, forecast, graceMs }), (asked) =>
    rememberedPlan(standing, { load: asked, spec, runningPlan }, () => planned(context, { load: asked, runningPlan })),
  );
  const verify = context.verifierAt(load);
  const evidence: DecisionEvidence = { forecast, load, result };
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) return { kind: 'hold', reason: infeasibleReason(result), evidence };
  const changes = diffPlans(runningPlan, plan, changeBounds(context.spec));
  if (changes.length === 0) return { kind: 'hold', reason: 'the best plan is already running', evidence };
  const stays = result.kind === 'feasible' ? mayGoOn(context, { observation, plan, changes, verify }) : false;
  if (typeof stays === 'string') return { kind: 'hold', reason: stays, evidence };
  const reason = applyReason(result, load.arrivalRps);
  return { kind: 'apply', plan, changes, reason, evidence: { ...evidence, necessary: !stays } };
}

/** The policy's answer for a load, its plan with a verdict. */
function planned(
  context: ControlContext,
  { load, runningPlan }: Pick<PlanQuestion, 'load' | 'runningPlan'>,
): PlanResult {
  const { spec, profiles, policy } = context;
  const verify = context.verifierAt(load);
  const { arrivalRps, burstiness } = load;
  const problem: PlanningProblem = {
    ...{ spec, profiles, arrivalRps, runningPlan, estimator: 'distribution' },
    // Nobody waits for advice, and many wait for the decision.
    verifiesAdvice: false,
    ...(burstiness && { burstiness }),
  };
  const result = policy.plan(problem, policy.usesVerdicts ? verify : undefined);
  const verified = (plan: Plan): Plan => ({ ...plan, verified: plan.verified ?? verify(plan, spec.slo) });
  if (result.kind === 'feasible') return { ...result, plan: verified(result.plan) };
  return result.bestEffort === undefined ? result : { ...result, bestEffort: verified(result.bestEffort) };
}

interface Proposal {
  readonly observation: Observation;
  readonly plan: Plan;
  readonly changes: readonly Change[];
  readonly verify: VerifyPlan;
}

/** Why a feasible plan should wait; else whether what runs could go on, so that the plan is but an improvement. */
function mayGoOn(context: ControlContext, { observation, plan, changes, verify }: Proposal): string | boolean {
  const { spec } = context;
  if (!context.policy.keepsGoodPlans) return false;
  const running = planThatRuns(spec, observation.runningPlan);
  if (running === undefined || !mayStay(context, running)) return false;
  if (!showsSloMet(verify(running, spec.slo))) return false;
  const gainedPas = plan.predicted.pas - running.predicted.pas;
  const savedFraction = savedCostFraction(running, plan);
  if (gainedPas < WORTHWHILE_PAS && savedFraction < WORTHWHILE_SAVING_FRACTION[spec.objective.kind])
    return 'what runs meets the SLO and the gain is too small';
  const recent = changes.find(
    (change) => change.kind === 'switch-variant' && dwells(context, observation, change.stageId),
  );
  return recent === undefined
    ? true
    : `stage ${recent.stageId} switched its variant less than ${spec.control.minDwellMs} ms ago`;
}

/** Whether what runs keeps to budget, floor and pins, and can be simulated at all (a resumed plan may lack profile points). */
function mayStay({ spec, curves }: ControlContext, running: Plan): boolean {
  const known = spec.stages.every(({ id }) => {
    const stage = running.stages[id]?.[0];
    return stage !== undefined && curves.curve(id, stage.variantId, stage.resources.cpuCores) !== undefined;
  });
  const floor = spec.objective.kind === 'min-cost' ? spec.objective.accuracyFloor : 0;
  return known && running.predicted.pas >= floor && fitsBudget(spec, running) && keepsPins(spec, running);
}

function fitsBudget(spec: PipelineSpec, { stages }: Plan): boolean {
  const limits = limitsOf(spec);
  const uses = Object.values(stages).flat();
  const total = totalUse(uses.map(({ resources, replicas }) => useOf(resources, replicas, spec.prices)));
  return total.every((amount, kind) => isWithin(amount, limits[kind] ?? Number.POSITIVE_INFINITY));
}

function keepsPins(spec: PipelineSpec, { stages }: Plan): boolean {
  return spec.stages.every(({ id, pins, bounds }) => {
    const stage = stages[id]?.[0];
    if (stage === undefined) return false;
    const kept = (pinned: unknown, actual: unknown) => pinned === undefined || pinned === actual;
    return (
      kept(pins.variantId, stage.variantId) &&
      kept(pins.cpuCores, stage.resources.cpuCores) &&
      kept(pins.maxBatchSize, stage.maxBatchSize) &&
      kept(pins.replicas, stage.replicas) &&
      stage.replicas >= bounds.minReplicas &&
      stage.replicas <= bounds.maxReplicas
    );
  });
}

function savedCostFraction(running: Plan, plan: Plan): number {
  const before = running.predicted.costPerHour;
  return before === 0 ? 0 : 1 - plan.predicted.costPerHour / before;
}

function dwells({ spec }: ControlContext, observation: Observation, stageId: StageId): boolean {
  const sinceMs = observation.stages[stageId]?.variantSinceMs;
  return sinceMs !== undefined && observation.atMs - sinceMs < spec.control.minDwellMs;
}

function infeasibleReason(result: PlanResult): string {
  return result.kind === 'infeasible' ? `no plan is feasible: ${result.bindingConstraint} binds` : 'no plan';
}

function applyReason(result: PlanResult, upperRps: number): string {
  const rate = `${upperRps.toFixed(1)} rps`;
  if (result.kind === 'infeasible')
    return `nothing meets the SLO at ${rate} (${result.bindingConstraint} binds); the best effort`;
  return `best plan for up to ${rate}`;
}
