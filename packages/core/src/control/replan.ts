/**
 * Slow loop: forecasts the load, plans for it, and applies the accuracy floor, the switching rules and the guardrails.
 *
 * The plan is made for the end of the load's bucket, or for a step inside it if the end needs a more expensive plan.
 * While the running plan meets the SLO, a small gain in accuracy or cost is not worth a restart. Nor does a stage then
 * switch its variant again so soon (dwell). On stale input the loop keeps the running plan.
 */
import type { Forecaster } from '../forecast/forecaster.js';
import { learnedForecast } from '../forecast/learning/load-learning.js';
import { CacheByOwner } from '../kernel/lru-cache.js';
import type { Change } from '../model/change.js';
import type { Decision, DecisionEvidence, Forecast, LoadObservation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import { type Plan, type PlanResult, showsSloMet } from '../model/plan.js';
import { liveReplicas, type RunningStage } from '../model/running-plan.js';
import type { VerifyPlan } from '../optimize/planning-problem.js';
import type { ControllerState } from './controller-state.js';
import { diffPlans } from './diff-plans.js';
import { keepFloor } from './feasible-rate.js';
import { guardDecision, passOver } from './guard/guardrails.js';
import { isWorthSwitching, switchedStages, switchObjection, withRunningVariants } from './guard/switching.js';
import { fitsBudget, keepsBounds, keepsPins } from './plan-facts.js';
import { planInBucket, plannedLoad } from './planned-load.js';
import type { GuardrailRules } from './rules.js';
import type { Situation, UnfinishedSearch } from './situation.js';

/** Time (ms) after a burst in which another is likely. */
const IN_BURST_MS = 10_000;
/** Points between the expected rate (0) and the upper rate (1), tried until one is feasible. */
const FEASIBLE_FRACTIONS = [1, 0.5, 0];
/** Least worthwhile gain in PAS (fraction) while the running plan is good enough. */
const WORTHWHILE_PAS = 0.002;
/** Least worthwhile saving, as a fraction of the running cost. */
const WORTHWHILE_SAVING_FRACTION = { 'max-accuracy': 0.1, weights: 0.1, 'min-cost': 0.02 } as const;
/** Plans by load, target and running replicas. With a steady load most ticks repeat an input. */
const plans = new CacheByOwner<PlanResult>(1024);

export function replan(situation: Situation, state: ControllerState): Decision {
  return guardDecision(
    situation,
    state,
    decideWithoutRolledBack(situation, state) ?? switchIfWorthwhile(situation, state),
  );
}

/** The decision without variants in back-off; undefined if no variant is, or no plan is feasible without them. */
function decideWithoutRolledBack(situation: Situation, state: ControllerState): Decision | undefined {
  const reduced = situation.withoutRolledBack;
  const decision = reduced && switchIfWorthwhile(reduced, state);
  if (decision === undefined) return undefined;
  const { result } = decision.evidence;
  if (result !== undefined && result.kind !== 'feasible') return undefined;
  const left = situation.rolledBack.map(({ stageId, variantId }) => `${stageId}/${variantId}`).join(', ');
  return { ...decision, reason: `${decision.reason}; without ${left}, rolled back a moment ago` };
}

export function isInBurst({ protectedAtMs = Number.NEGATIVE_INFINITY }: ControllerState, atMs: number): boolean {
  const sinceMs = atMs - protectedAtMs;
  return sinceMs >= 0 && sinceMs < IN_BURST_MS;
}

/** Decides; switches variants only if that is worthwhile and no stage has to rest. */
function switchIfWorthwhile(situation: Situation, state: ControllerState): Decision {
  const { rules, spec, observation } = situation;
  const { guardrails } = rules;
  const forecaster = forecasterOf(situation, state);
  if (guardrails === undefined) return decideByPlan(situation, forecaster);
  const feasible = feasibleForecaster(situation, forecaster);
  const free = keepFloor(situation, decideByPlan(situation, feasible));
  const running = situation.runningPlan;
  // A switch to a pinned variant need not be worthwhile.
  const switched = switchedStages(free).filter(
    (id) => spec.stages.find((stage) => stage.id === id)?.pins.variantId === undefined,
  );
  if (running === undefined || free.kind !== 'apply' || switched.length === 0) return free;
  const kept = decideByPlan(situation.under(withRunningVariants(rules, running)), feasible);
  if (kept.evidence.result?.kind !== 'feasible') return free;
  const arrivalRps = free.evidence.load?.arrivalRps ?? 0;
  const { switches, plannedRates } = state;
  const history = { switches, plannedRates, nowMs: observation.atMs, minDwellMs: situation.restMs };
  const objection = switchObjection(switched, { ...history, arrivalRps });
  if (objection !== undefined) return passOver(kept, free.plan, objection);
  const keptPlan = kept.kind === 'apply' ? kept.plan : running;
  return isWorthSwitching(free.plan, keptPlan, { objective: spec.objective, rules: guardrails })
    ? free
    : passOver(kept, free.plan, 'it switches variants and gains too little beside the best plan without');
}

/** Upper rate (rps) that a plan would be made for now, feasible or not. */
export function upperRateAhead(situation: Situation, state: ControllerState): number {
  return forecastAhead(situation, forecasterOf(situation, state)).upperRps;
}

/** The forecast up to the instant when a plan acts, which depends on the replicas that have to start. */
function forecastAhead(situation: Situation, forecaster: Forecaster): Forecast {
  const { load, atMs } = situation.observation;
  const usualMs = situation.horizonMs(0);
  const usual = forecaster(load, usualMs, atMs);
  const aheadMs = situation.horizonMs(usual.upperRps);
  return aheadMs > usualMs ? forecaster(load, aheadMs, atMs) : usual;
}

/**
 * The learned forecast, else the simple one; at least the planned rate of a recent burst. Learned methods see only
 * complete bins of the load. If plans act slowly, the simple forecast adds a rise since the last bin.
 */
function forecasterOf(situation: Situation, state: ControllerState): Forecaster {
  const { rules, observation } = situation;
  const { guardrails, forecaster: simple, recordedForecast: learned } = rules;
  const { learning, planned } = state;
  const leastRps = isInBurst(state, observation.atMs) ? (planned?.arrivalRps ?? 0) : 0;
  const sane = (each: Forecast, load: LoadObservation) =>
    guardrails === undefined ? each : sanitizeForecast(each, load, guardrails);
  return (load, aheadMs, atMs) => {
    const forecasts = [
      learned === undefined ? learnedForecast(learning, load) : learned(load),
      simple(load, aheadMs, atMs),
    ];
    const passedOver: string[] = [];
    let found: Forecast | undefined;
    for (const forecast of forecasts) {
      if (forecast === undefined) continue;
      found = sane(forecast, load);
      if (found !== undefined) break;
      passedOver.push(forecast.method);
    }
    const { upperRps, ...forecast } = found ?? lastSecondForecast(load);
    const risenRps = situation.actsSlowly ? (sane(simple(load, aheadMs, atMs), load)?.upperRps ?? 0) : 0;
    const mostRps = Math.max(upperRps, risenRps, leastRps);
    return { ...forecast, upperRps: mostRps, ...(passedOver.length > 0 && { passedOver }) };
  };
}

/** Fallback if no method gives a number. */
function lastSecondForecast({ arrivalsPerSecond }: LoadObservation): Forecast {
  const rps = arrivalsPerSecond.at(-1) ?? 0;
  return { method: 'last-second', meanRps: rps, upperRps: rps };
}

/** The forecaster, with its upper rate lowered until a plan at the accuracy floor is feasible, if possible. */
function feasibleForecaster(situation: Situation, forecaster: Forecaster): Forecaster {
  if (situation.accuracyFloor === undefined || situation.observation.staleSources.length > 0) return forecaster;
  const lowered = FEASIBLE_FRACTIONS.map(
    (fraction): Forecaster =>
      (...asked) => {
        const forecast = forecaster(...asked);
        const { meanRps, upperRps } = forecast;
        return { ...forecast, upperRps: meanRps + fraction * Math.max(0, upperRps - meanRps) };
      },
  );
  return lowered.find((each) => decideByPlan(situation, each).evidence.result?.kind === 'feasible') ?? forecaster;
}

/** The forecast, bounded by past arrivals; undefined if it is not a number. */
function sanitizeForecast(
  forecast: Forecast,
  { arrivalsPerSecond }: LoadObservation,
  { largestForecastRatio }: GuardrailRules,
): Forecast | undefined {
  const { meanRps, upperRps } = forecast;
  if (![meanRps, upperRps].every((rps) => Number.isFinite(rps) && rps >= 0)) return undefined;
  const mostRps = largestForecastRatio * Math.max(1, ...arrivalsPerSecond);
  return upperRps <= mostRps ? forecast : { ...forecast, meanRps: Math.min(meanRps, mostRps), upperRps: mostRps };
}

/** Decides for the verified plan of the forecast load if it is worth a change. Applies no guardrails. */
export function decideByPlan(situation: Situation, forecaster: Forecaster): Decision {
  const { spec, observation } = situation;
  const { runningPlan } = observation;
  const forecast = forecastAhead(situation, forecaster);
  if (observation.staleSources.length > 0)
    return {
      kind: 'hold',
      reason: `no fresh input from ${observation.staleSources.join(', ')}`,
      evidence: { forecast },
    };
  const aheadMs = situation.horizonMs(0);
  const bucket = plannedLoad(spec, { observation, forecast, aheadMs });
  const { load, result } = planInBucket(bucket, (asked) => rememberedPlan(situation, asked));
  const evidence: DecisionEvidence = { forecast, load, result };
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) return { kind: 'hold', reason: infeasibleReason(result), evidence };
  const changes = diffPlans(runningPlan, plan, spec);
  if (changes.length === 0) return { kind: 'hold', reason: 'the best plan is already running', evidence };
  const mayStay = result.kind === 'feasible' ? mayContinue(situation, { plan, changes, load }) : false;
  if (typeof mayStay === 'string') return { kind: 'hold', reason: mayStay, evidence };
  const reason = applyReason(result, load.arrivalRps);
  return { kind: 'apply', plan, changes, reason, evidence: { ...evidence, necessary: !mayStay } };
}

function rememberedPlan(situation: Situation, load: ExpectedLoad): PlanResult {
  const { rules, spec, observation } = situation;
  const running = Object.entries(observation.runningPlan.stages).map(([id, stage]) => [id, runningKey(stage)]);
  const workLimit = WORK_LIMIT * (1 + searchedTicks(situation, load));
  const key = JSON.stringify([load, spec.budget, spec.objective, running, workLimit]);
  return plans.remember(rules, key, () => askPolicy(situation, { load, workLimit }));
}

/** Number of plans in a row whose search at this load was not finished. */
function searchedTicks({ search }: Situation, load: ExpectedLoad): number {
  return search !== undefined && JSON.stringify(search.load) === JSON.stringify(load) ? search.ticks : 0;
}

/**
 * The search to continue at the next plan for the same load. That plan repeats all steps with a larger work limit;
 * cached verdicts cost no time.
 */
export function unfinishedSearch(
  situation: Situation,
  { load, result }: Pick<DecisionEvidence, 'load' | 'result'>,
): UnfinishedSearch | undefined {
  const isOpen =
    result?.kind === 'feasible' ? result.certificate.search?.exhausted === false : result?.kind === 'not-found';
  if (load === undefined || !isOpen) return undefined;
  return { load, ticks: Math.min(MOST_TICKS, searchedTicks(situation, load) + 1) };
}

/** Live replicas by kind, which determine switching costs. */
function runningKey(stage: RunningStage): readonly string[] {
  return liveReplicas(stage)
    .map(({ variantId, resources }) => `${variantId}:${resources.cpuCores}`)
    .sort();
}

/** Work limit of a plan, in full verifications: a few seconds, less than the shortest usual interval. */
const WORK_LIMIT = 24;
/** Most plans that continue one search. */
const MOST_TICKS = 4;

interface Question {
  readonly load: ExpectedLoad;
  readonly workLimit: number;
}

function askPolicy(situation: Situation, { load, workLimit }: Question): PlanResult {
  const { rules, spec, observation } = situation;
  const { runningPlan } = observation;
  const { profiles, policy } = rules;
  const { arrivalRps, burstiness } = load;
  const verify: VerifyPlan = (...asked) => rules.verifierAt(load)(...asked);
  const problem = {
    spec,
    profiles,
    arrivalRps,
    runningPlan,
    estimator: 'distribution',
    // A decision cannot wait for the verification of advice.
    verifiesAdvice: false,
    workLimit,
    ...(burstiness && { burstiness }),
  } as const;
  const result = policy.plan(problem, policy.usesVerdicts ? verify : undefined);
  const verified = (plan: Plan): Plan => ({ ...plan, verified: plan.verified ?? verify(plan, spec.slo) });
  if (result.kind === 'feasible') return { ...result, plan: verified(result.plan) };
  return result.bestEffort === undefined ? result : { ...result, bestEffort: verified(result.bestEffort) };
}

interface Proposal {
  readonly plan: Plan;
  readonly changes: readonly Change[];
  readonly load: ExpectedLoad;
}

/** Reason to keep the running plan instead of a feasible one. Else: may the running plan continue? */
function mayContinue(situation: Situation, { plan, changes, load }: Proposal): string | boolean {
  const { rules, spec, runningPlan: running } = situation;
  if (!rules.policy.keepsGoodPlans || running === undefined || !isAllowed(situation, running)) return false;
  if (!showsSloMet(rules.verifierAt(load)(running, spec.slo))) return false;
  const gainedPas = plan.predicted.pas - running.predicted.pas;
  const savedFraction = savedCostFraction(running, plan);
  if (gainedPas < WORTHWHILE_PAS && savedFraction < WORTHWHILE_SAVING_FRACTION[spec.objective.kind])
    return 'what runs meets the SLO and the gain is too small';
  const recent = changes.find(({ kind, stageId }) => kind === 'switch-variant' && dwells(situation, stageId));
  return recent === undefined
    ? true
    : `stage ${recent.stageId} switched its variant less than ${situation.restMs} ms ago`;
}

/** Does the running plan keep budget, floor, bounds and pins, with a profile for each stage? A resumed plan may not. */
function isAllowed({ spec, rules: { curves }, accuracyFloor = 0 }: Situation, running: Plan): boolean {
  const isProfiled = spec.stages.every(({ id }) => {
    const stage = running.stages[id]?.[0];
    return stage !== undefined && curves.curve(id, stage.variantId, stage.resources.cpuCores) !== undefined;
  });
  if (!isProfiled || running.predicted.pas < accuracyFloor) return false;
  return fitsBudget(spec, running) && keepsBounds(spec, running) && keepsPins(spec, running);
}

function savedCostFraction(running: Plan, plan: Plan): number {
  const before = running.predicted.costPerHour;
  return before === 0 ? 0 : 1 - plan.predicted.costPerHour / before;
}

function dwells(situation: Situation, stageId: StageId): boolean {
  const { stages, atMs } = situation.observation;
  const sinceMs = stages[stageId]?.variantSinceMs;
  return sinceMs !== undefined && atMs - sinceMs < situation.restMs;
}

function infeasibleReason(result: PlanResult): string {
  return result.kind !== 'feasible' ? `no plan is feasible: ${result.bindingConstraint} binds` : 'no plan';
}

function applyReason(result: PlanResult, upperRps: number): string {
  const rate = `${upperRps.toFixed(1)} rps`;
  if (result.kind !== 'feasible')
    return `nothing meets the SLO at ${rate} (${result.bindingConstraint} binds); the best effort`;
  return `best plan for up to ${rate}`;
}
