/**
 * Slow loop: forecasts the load, plans for it, and applies accuracy floor, switching rules and guardrails.
 *
 * The plan is for the end of the load's bucket, or for a step inside it if the end needs a worse plan.
 */
import type { Forecaster } from '../forecast/forecaster.js';
import { learnedForecast } from '../forecast/learning/load-learning.js';
import { CacheByOwner } from '../kernel/lru-cache.js';
import type { Change } from '../model/change.js';
import type { Decision, DecisionEvidence, Forecast, LoadObservation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import { bindingText, type Plan, type PlanResult, showsSloMet } from '../model/plan.js';
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

/** For this time (ms) after a burst, another is likely. */
const IN_BURST_MS = 10_000;
/** Intervals of traffic after which the observed rate counts instead of an announced one. */
const JUDGED_INTERVALS = 6;
/** Intervals after the start for which an announced rate counts without traffic. */
const AWAITED_INTERVALS = 60;
/** Fractions of the way from the mean rate to the upper rate, tried until a plan is feasible. */
const FEASIBLE_FRACTIONS = [1, 0.5, 0];
/** Minimum worthwhile gain in PAS (fraction) while the running plan is good enough. */
const WORTHWHILE_PAS = 0.002;
/** Minimum worthwhile saving, as a fraction of the running cost. */
const WORTHWHILE_SAVING_FRACTION = { 'max-accuracy': 0.1, weights: 0.1, 'min-cost': 0.02 } as const;
/** Plans by load, target, running replicas and running plan, which is a candidate. At a steady load most ticks repeat an input. */
const plans = new CacheByOwner<PlanResult>(1024);

export function replan(situation: Situation, state: ControllerState): Decision {
  return guardDecision(
    situation,
    state,
    decideWithoutRolledBack(situation, state) ?? switchIfWorthwhile(situation, state),
  );
}

/** Decision without the variants in back-off. Undefined if there are none, or if no plan is feasible without them. */
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

/** Switches variants only if that is worthwhile and no stage has to rest. */
function switchIfWorthwhile(situation: Situation, state: ControllerState): Decision {
  const { rules, spec, observation } = situation;
  const { guardrails } = rules;
  const forecaster = forecasterOf(situation, state);
  if (guardrails === undefined) return decideByPlan(situation, forecaster);
  const feasible = feasibleForecaster(situation, forecaster);
  const free = keepFloor(situation, decideByPlan(situation, feasible));
  const running = situation.runningPlan;
  // A switch to a pinned variant is always worthwhile.
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

/** Forecast for which a plan would be made now, feasible or not. */
export function forecastFor(situation: Situation, state: ControllerState): Forecast {
  return forecastAhead(situation, forecasterOf(situation, state));
}

/** Forecast for the time at which a plan acts. That time depends on the replicas to start. */
function forecastAhead(situation: Situation, forecaster: Forecaster): Forecast {
  const { load, atMs } = situation.observation;
  const usualMs = situation.horizonMs(0);
  const usual = forecaster(load, usualMs, atMs);
  const aheadMs = situation.horizonMs(usual.upperRps);
  return aheadMs > usualMs ? forecaster(load, aheadMs, atMs) : usual;
}

/**
 * The learned forecast, or else the simple one; at least the planned rate of a recent burst, and an announced rate.
 * Learned methods only see complete bins of the load. If plans act slowly, the simple forecast adds the rise since the
 * last bin.
 */
function forecasterOf(situation: Situation, state: ControllerState): Forecaster {
  const { rules, observation } = situation;
  const { guardrails, forecaster: simple, recordedForecast: learned } = rules;
  const { learning, planned } = state;
  const burstRps = isInBurst(state, observation.atMs) ? (planned?.arrivalRps ?? 0) : 0;
  const leastRps = Math.max(burstRps, announcedRps(situation));
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

/**
 * Rate that a person announced; 0 once the traffic shows the rate. The first seconds of traffic, or none, are no reason
 * to plan for less.
 */
function announcedRps({ spec, observation: { announced, atMs } }: Situation): number {
  if (announced === undefined) return 0;
  const { arrivalRps, sinceMs, firstArrivalAtMs = atMs } = announced;
  const { intervalMs } = spec.control;
  const counts =
    atMs - firstArrivalAtMs < JUDGED_INTERVALS * intervalMs && atMs - sinceMs < AWAITED_INTERVALS * intervalMs;
  return counts ? arrivalRps : 0;
}

/** Fallback if no method gives a number. */
function lastSecondForecast({ arrivalsPerSecond }: LoadObservation): Forecast {
  const rps = arrivalsPerSecond.at(-1) ?? 0;
  return { method: 'last-second', meanRps: rps, upperRps: rps };
}

/** Lowers the upper rate of the forecaster until a plan at the accuracy floor is feasible, if possible. */
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

/** The forecast, limited by past arrivals; undefined unless finite and not negative. */
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

/** Makes a verified plan for the forecast load, and decides if it is worth a change. Applies no guardrails. */
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
  const bucket = plannedLoad(spec, { observation, forecast, aheadMs, isWide: situation.rules.wideBuckets });
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
  const { rules, spec, observation, runningStages } = situation;
  const replicas = Object.entries(observation.runningPlan.stages).map(([id, stage]) => [id, runningKey(stage)]);
  const workLimit = WORK_LIMIT * (1 + searchedTicks(situation, load));
  const key = JSON.stringify([load, spec.budget, spec.objective, replicas, runningStages, workLimit]);
  return plans.remember(rules, key, () => askPolicy(situation, { load, workLimit }));
}

/** Number of plans in a row whose search at this load did not finish. */
function searchedTicks({ search }: Situation, load: ExpectedLoad): number {
  return search !== undefined && JSON.stringify(search.load) === JSON.stringify(load) ? search.ticks : 0;
}

/**
 * The search that the next plan for the same load continues. That plan repeats all steps with a larger work limit;
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

/** Live replicas by kind. They determine switching costs. */
function runningKey(stage: RunningStage): readonly string[] {
  return liveReplicas(stage)
    .map(({ variantId, resources }) => `${variantId}:${resources.cpuCores}`)
    .sort();
}

/** Work limit of a plan, in full verifications: a few seconds, which is below usual intervals. */
const WORK_LIMIT = 24;
/** Maximum number of plans that continue one search. */
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
    // A decision does not wait until advice is verified.
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

/** Reason to keep the running plan although another is feasible; otherwise, true unless a change is necessary. */
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

/**
 * True if the running plan has a profile for each stage and keeps budget, floor, bounds and pins. A resumed plan may
 * not.
 */
function isAllowed({ spec, rules: { curves }, accuracyFloor = 0 }: Situation, running: Plan): boolean {
  const isProfiled = spec.stages.every(({ id }) => {
    const stage = running.stages[id]?.[0];
    if (stage?.replicas === 0) return true;
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
  return result.kind !== 'feasible' ? `no plan is feasible: ${bindingText(result.bindingConstraint)}` : 'no plan';
}

function applyReason(result: PlanResult, upperRps: number): string {
  const rate = `${upperRps.toFixed(1)} rps`;
  if (result.kind !== 'feasible')
    return `nothing meets the SLO at ${rate} (${bindingText(result.bindingConstraint)}); the best effort`;
  return `best plan for up to ${rate}`;
}
