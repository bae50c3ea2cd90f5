/**
 * The control loop with all that it remembers: a pure step from state and observation to state and decision. At every tick the load is
 * learned from; once in `intervalMs` the slow loop plans anew (`onTick`), at the ticks between the fast loop protects. A simulated loop
 * and a served one take these very steps.
 */

import type { Forecaster } from '../forecast/forecaster.js';
import {
  initialLearning,
  type LearningRules,
  type LoadLearning,
  learnedForecast,
  observeLoad,
  runTrainingStep,
} from '../forecast/learning/load-learning.js';
import type { Decision, Forecast, LoadObservation, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Plan } from '../model/plan.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import { type BackOff, backOffAfter, holdsBack } from '../serve/rollout/trial.js';
import { detectBurst, plannedEnvelope } from './burst-detection.js';
import { carriedRps } from './carried-rate.js';
import { afterChange, beforeChange, type ChangeMemory, withoutChange } from './change-end.js';
import { diffPlans } from './diff-plans.js';
import { type FailureCount, failedFraction, withFailures } from './failure-record.js';
import { protect } from './fast-loop.js';
import {
  correctedRules,
  type FeedbackRules,
  nothingMeasured,
  observeEdges,
  observeService,
  type ServiceState,
  withLearnedEdges,
} from './feedback/controller-feedback.js';
import type { EdgeState } from './feedback/learned-edges.js';
import {
  type ApplyDecision,
  believed,
  type GuardrailRules,
  inLastHour,
  keepsToPins,
  steppedDown,
  tooManyChanges,
} from './guardrails.js';
import { isWorthSwitching, keepingVariants } from './kept-variants.js';
import { onTick } from './on-tick.js';
import { planThatRuns } from './plan-that-runs.js';
import { lately, withPlanned } from './planned-rates.js';
import { keepingFloor, withinReach } from './reach.js';
import { judgeTrial, missedOf, settling } from './slo-burn.js';
import { switchedStages, switchObjection, withSwitches } from './switch-history.js';

/** What a controller goes by; what is left out it does without. */
export interface ControllerRules extends FeedbackRules {
  /** Methods that learn from the load; `forecaster` foretells until they can. */
  readonly learning?: LearningRules;
  /** What the learned methods foretell, in place of those of the state: a replay hands in what was recorded. */
  readonly foretell?: (load: LoadObservation) => Forecast | undefined;
  readonly guardrails?: GuardrailRules;
}

/** What a controller remembers; plain data. */
export interface ControllerState extends ChangeMemory {
  readonly learning: LoadLearning;
  /** Time (ms) for which there was no learning yet. */
  readonly savedMs?: number;
  readonly service: ServiceState;
  /** Missing while nothing was counted. */
  readonly edges?: EdgeState;
  /** Of the last half minute, oldest first; missing where failures are not counted. */
  readonly failures?: readonly FailureCount[];
}

/** A step: without a decision where the fast loop saw nothing to protect against. */
export interface ControlStep {
  readonly state: ControllerState;
  readonly decision?: Decision;
}

/** So long after a burst was answered, more of it is likely. */
const IN_BURST_MS = 10_000;

/** A step of learning takes up to a tenth of a second: so much of a core it may have. */
const MS_PER_STEP = 1000;

/** A controller that has seen nothing. */
export const newController: ControllerState = {
  learning: initialLearning,
  service: nothingMeasured,
  appliedAtMs: [],
  switches: [],
};

/** How often a controller wants to be asked. */
export function tickMs({ spec: { control }, policy }: Pick<ControllerRules, 'spec' | 'policy'>): number {
  return policy.protects
    ? Math.min(control.intervalMs, control.fastIntervalMs ?? control.intervalMs)
    : control.intervalMs;
}

/** One tick. Give `profiled` as the same object from tick to tick: what was planned is remembered with it. */
export function controlStep(profiled: ControllerRules, known: ControllerState, observation: Observation): ControlStep {
  const { atMs } = observation;
  const before = afterChange(known, observation);
  const everyMs = tickMs(profiled);
  const { intervalMs } = profiled.spec.control;
  // Later than an interval from now nothing can be due: the clock was set back, and the grid begins anew.
  const isGrid = before.nextPlanAtMs !== undefined && before.nextPlanAtMs <= atMs + intervalMs;
  const nextPlanAtMs = isGrid ? (before.nextPlanAtMs as number) : atMs - everyMs + intervalMs;
  // Half a tick early counts as due, lest a timer's jitter put the slow loop off by a whole one.
  const due = observation.changing !== true && atMs + everyMs / 2 >= nextPlanAtMs;
  const edges = observeEdges(profiled, before.edges, { observation, due });
  const failures = withFailures(before.failures, observation);
  const learned = {
    ...before,
    ...(edges && { edges }),
    ...(failures && { failures }),
    nextPlanAtMs,
    learning: learnedFrom(profiled, before, observation),
    service: observeService(profiled, before.service, { observation, due }),
  };
  const step = decided(rulesInForce(profiled, learned), learned, { observation, due });
  if (step.decision === undefined) return step;
  const switches = withSwitches(step.state.switches, step.decision, atMs);
  const state = {
    ...step.state,
    switches,
    ...(step.decision.kind === 'apply' && {
      beforeChange: goesBackTo(before, observation) ?? beforeChange(before),
      underWay: step.decision.plan.stages,
    }),
  };
  return { decision: withLearnedEdges(step.decision, edges), state };
}

/** What to go back to where the change under way is not carried out, nor what takes its place. */
function goesBackTo({ beforeChange: before }: ChangeMemory, { changing }: Observation): ChangeMemory['beforeChange'] {
  return changing === true ? before : undefined;
}

/** The rules with what was learned in place of the profiles and the pipeline file; the same object as long as that is the same. */
export function rulesInForce(
  profiled: ControllerRules,
  { service: { corrections }, edges }: Pick<ControllerState, 'service' | 'edges'>,
): ControllerRules {
  return correctedRules(profiled, { corrections, edges: edges?.inForce });
}

function decided(
  rules: ControllerRules,
  state: ControllerState,
  { observation, due }: { readonly observation: Observation; readonly due: boolean },
): ControlStep {
  const judged = observation.changing === true ? { state } : judge(rules, state, observation);
  if (judged.decision !== undefined) return judged;
  if (!due) return fastStep(rules, judged.state, observation);
  // A burst cannot wait for a verified plan; the plan stays due.
  const protection = rules.policy.protects ? fastStep(rules, judged.state, observation) : undefined;
  return protection?.decision === undefined ? slowStep(rules, judged.state, observation) : protection;
}

/**
 * Whether the fast loop would act on an observation: a plan that is still being made then answers a question that is no longer the urgent
 * one.
 */
export function wouldProtect(profiled: ControllerRules, state: ControllerState, observation: Observation): boolean {
  if (!profiled.policy.protects) return false;
  const rules = rulesInForce(profiled, state);
  return fastStep(rules, state, observation).decision !== undefined;
}

function learnedFrom(
  { learning: rules }: ControllerRules,
  { learning }: ControllerState,
  { load, atMs }: Observation,
): LoadLearning {
  return rules === undefined ? learning : observeLoad(learning, load, atMs, rules);
}

/** What there is to do between ticks: some learning, as much as a tick is long; shorter ones save up for it. */
export function learnBetween(rules: ControllerRules, state: ControllerState): ControllerState {
  if (rules.learning === undefined) return state;
  let { learning } = state;
  let savedMs = (state.savedMs ?? 0) + tickMs(rules);
  for (; savedMs >= MS_PER_STEP; savedMs -= MS_PER_STEP) learning = runTrainingStep(learning, rules.learning);
  return { ...state, learning, savedMs };
}

function slowStep(rules: ControllerRules, state: ControllerState, observation: Observation): ControlStep {
  const { atMs } = observation;
  const next = { ...state, nextPlanAtMs: nextPlanAt(rules.spec.control.intervalMs, state.nextPlanAtMs ?? atMs, atMs) };
  const decision = guarded(rules, next, {
    observation,
    decision: planned(rules, next, observation),
  });
  const { load } = decision.evidence;
  const after =
    load === undefined
      ? next
      : {
          ...next,
          planned: load,
          plannedRates: withPlanned(state.plannedRates, { atMs, arrivalRps: load.arrivalRps }),
        };
  return decision.kind === 'hold'
    ? { state: after, decision }
    : { state: applied(rules, after, { decision, observation, before: state }), decision };
}

/** The grid of the interval goes on; what a long pause has covered is skipped. */
function nextPlanAt(intervalMs: number, dueMs: number, nowMs: number): number {
  const next = dueMs + intervalMs;
  return next > nowMs ? next : nowMs + intervalMs;
}

function fastStep(rules: ControllerRules, state: ControllerState, observation: Observation): ControlStep {
  const { atMs } = observation;
  const planned = state.planned ?? carriedLoad(rules, observation);
  if (planned === undefined) return { state };
  const inBurst = isInBurst(state, atMs);
  const rates = lately(state.plannedRates, atMs);
  const keepsVariants = rules.guardrails !== undefined;
  const { underWay } = state;
  const protection = protect(rules, observation, { planned, inBurst, keepsVariants, rates, underWay });
  if (protection === undefined) return { state };
  const { decision, load } = protection;
  // What takes the place of a change under way is the same change, once more thought over; only to see the burst that one counted.
  const { trial: _, ...rest } = observation.changing === true ? withoutChange(state) : state;
  const appliedAtMs = [...inLastHour(rest.appliedAtMs, atMs), atMs];
  const plannedRates = withPlanned(rates, { atMs, arrivalRps: load.arrivalRps, forBurst: true });
  return { state: { ...rest, planned: load, plannedRates, appliedAtMs, protectedAtMs: atMs }, decision };
}

function isInBurst({ protectedAtMs = Number.NEGATIVE_INFINITY }: ControllerState, atMs: number): boolean {
  const sinceMs = atMs - protectedAtMs;
  return sinceMs >= 0 && sinceMs < IN_BURST_MS;
}

/** What runs before the first plan of the loop was made for a load that nobody remembers; what it can carry stands in for it. */
function carriedLoad({ spec, curves }: ControllerRules, { runningPlan }: Observation): ExpectedLoad | undefined {
  const running = planThatRuns(spec, runningPlan);
  return running && { arrivalRps: carriedRps(spec, running, curves) };
}

/** Foretells no less than a burst that was answered a moment ago: forecasts believe it only when it has lasted. */
function noLessThanBurst(forecaster: Forecaster, { planned }: ControllerState): Forecaster {
  return (load, horizonMs, atMs) => {
    const forecast = forecaster(load, horizonMs, atMs);
    return { ...forecast, upperRps: Math.max(forecast.upperRps, planned?.arrivalRps ?? 0) };
  };
}

/** What was learned foretells, else the simple forecaster, and either only as far as it can be believed. */
function forecasterOf(rules: ControllerRules, { learning }: ControllerState): Forecaster {
  const { guardrails, forecaster: simple, foretell = (load) => learnedForecast(learning, load) } = rules;
  return (load, horizonMs, atMs) => {
    const passedOver: string[] = [];
    const bounded = (each: Forecast) => (guardrails === undefined ? each : believed(each, load, guardrails));
    for (const forecast of [foretell(load), simple(load, horizonMs, atMs)]) {
      const found = forecast && bounded(forecast);
      if (found !== undefined) return passedOver.length === 0 ? found : { ...found, passedOver };
      if (forecast !== undefined) passedOver.push(forecast.method);
    }
    return { ...lastSecond(load), passedOver };
  };
}

/** What is there where no forecaster can be believed. */
function lastSecond({ arrivalsPerSecond }: LoadObservation): Forecast {
  const rps = arrivalsPerSecond.at(-1) ?? 0;
  return { method: 'last-second', meanRps: rps, upperRps: rps };
}

/** The slow loop's decision: one that switches variants only where that is worth it and no stage has to rest. */
function planned(rules: ControllerRules, state: ControllerState, observation: Observation): Decision {
  const { guardrails, spec, targetAt } = rules;
  const believable = forecasterOf(rules, state);
  const forecast = isInBurst(state, observation.atMs) ? noLessThanBurst(believable, state) : believable;
  const forecaster = guardrails === undefined ? forecast : withinReach(rules, observation, forecast);
  const found = onTick(rules, observation, forecaster);
  const free = guardrails === undefined ? found : keepingFloor(rules, observation, found);
  const running = planThatRuns(spec, observation.runningPlan);
  // What a person has pinned is not weighed.
  const switched = switchedStages(free).filter(
    (id) => spec.stages.find((stage) => stage.id === id)?.pins.variantId === undefined,
  );
  if (guardrails === undefined || running === undefined || free.kind !== 'apply' || switched.length === 0) return free;
  const kept = onTick(keepingVariants(rules, running), observation, forecaster);
  if (kept.evidence.result?.kind !== 'feasible') return free;
  const arrivalRps = free.evidence.load?.arrivalRps ?? 0;
  const { switches, plannedRates } = state;
  const history = { switches, plannedRates, nowMs: observation.atMs, minDwellMs: spec.control.minDwellMs };
  const objection = switchObjection(switched, { ...history, arrivalRps });
  if (objection !== undefined) return passingOver(kept, free.plan, objection);
  const objective = targetAt?.(observation.atMs).objective ?? spec.objective;
  const keptPlan = kept.kind === 'apply' ? kept.plan : running;
  return isWorthSwitching(free.plan, keptPlan, { objective, rules: guardrails })
    ? free
    : passingOver(kept, free.plan, 'it switches variants and gains too little beside the best plan without');
}

/** The decision with the plan that it was preferred to, as data. */
function passingOver(decision: Decision, plan: Plan, reason: string): Decision {
  return { ...decision, evidence: { ...decision.evidence, passedOver: { plan, reason } } };
}

interface Proposed {
  readonly observation: Observation;
  readonly decision: Decision;
}

/** The decision as the guardrails leave it. */
function guarded(
  { spec, guardrails }: ControllerRules,
  { appliedAtMs, backOff }: ControllerState,
  { observation, decision }: Proposed,
): Decision {
  if (guardrails === undefined || decision.kind === 'hold' || decision.evidence.necessary === true) return decision;
  const { atMs, runningPlan } = observation;
  const running = planThatRuns(spec, runningPlan);
  const soFar = { appliedAtMs, nowMs: atMs, ...(running && { running }) };
  const objection = tooManyChanges(decision, soFar, guardrails) ?? heldBack(backOff, atMs);
  if (objection !== undefined)
    return passingOver({ kind: 'hold', reason: objection, evidence: decision.evidence }, decision.plan, objection);
  const plan = steppedDown(spec, { plan: decision.plan, running: runningPlan }, guardrails);
  return { ...decision, plan, changes: diffPlans(runningPlan, plan, changeBounds(spec)) };
}

function heldBack(backOff: BackOff | undefined, nowMs: number): string | undefined {
  if (backOff === undefined || !holdsBack(backOff, nowMs)) return undefined;
  const { failures, untilMs } = backOff;
  const waitS = Math.ceil((untilMs - nowMs) / 1000);
  return `the last ${failures === 1 ? 'improvement' : `${failures} improvements`} had to be taken back: no other for ${waitS} s`;
}

/** The state behind a change: counted, and on trial where it is an improvement. */
function applied(
  { spec, guardrails }: ControllerRules,
  state: ControllerState,
  { decision, observation, before }: { decision: ApplyDecision; observation: Observation; before: ControllerState },
): ControllerState {
  const { atMs, runningPlan } = observation;
  const { trial: _, ...rest } = state;
  const counted = { ...rest, appliedAtMs: [...inLastHour(state.appliedAtMs, atMs), atMs] };
  const running = planThatRuns(spec, runningPlan);
  if (guardrails === undefined || decision.evidence.necessary === true) return counted;
  if (running === undefined || before.planned === undefined) return counted;
  const { planned: beforeLoad } = before;
  const missedAtStart = missedOf(observation);
  // What fails since a change that is on trial itself is no measure for the next one.
  const failedBefore = before.trial?.failedBefore ?? failedFraction(state.failures, observation);
  return { ...counted, trial: { before: running, beforeLoad, sinceMs: atMs, missedAtStart, failedBefore } };
}

/** Looks at the change on trial: forgets it when it has passed, takes it back when it has failed and the plan before is good enough now. */
function judge({ spec, guardrails }: ControllerRules, state: ControllerState, observation: Observation): ControlStep {
  const { trial, ...rest } = state;
  if (guardrails === undefined || trial === undefined || observation.staleSources.length > 0) return { state };
  const verdict = judgeTrial(trial, observation, spec.slo);
  if (verdict === 'open') return { state: { ...rest, trial: settling(trial, observation) } };
  if (verdict === 'passed') return { state: withoutBackOff(rest) };
  const { atMs, load, runningPlan } = observation;
  // A person wants it otherwise by now.
  if (!keepsToPins(spec, trial.before)) return { state: rest };
  // More than the plan before was good for is no reason to go back to it: the slow loop has to find another.
  const bounds = { before: { rates: lately(state.plannedRates, atMs), nowMs: atMs } };
  if (detectBurst(load, plannedEnvelope(trial.beforeLoad, bounds)) !== undefined) return { state: rest };
  const changes = diffPlans(runningPlan, trial.before, changeBounds(spec));
  const backOff = backOffAfter(atMs, state.backOff);
  const appliedAtMs = [...inLastHour(state.appliedAtMs, atMs), atMs];
  const taken = { ...rest, planned: trial.beforeLoad, backOff, appliedAtMs };
  if (changes.length === 0) return { state: taken };
  const missed = missedOf(observation) - trial.missedAtStart;
  const reason = `back to the plan before: ${missed} requests were dropped or failed since the last change`;
  const { arrivalRps } = trial.beforeLoad;
  const forecast = { method: 'planned', meanRps: arrivalRps, upperRps: arrivalRps };
  const evidence = { forecast, load: trial.beforeLoad, necessary: true };
  return { state: taken, decision: { kind: 'apply', plan: trial.before, changes, reason, evidence } };
}

function withoutBackOff({ backOff: _, ...rest }: ControllerState): ControllerState {
  return rest;
}
