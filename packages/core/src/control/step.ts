/**
 * One step of the control loop, pure: takes state and observation, returns state and decision. The loop measures at
 * each tick. The slow loop replans every `intervalMs`; the fast loop protects in between.
 */
import { observeLoad, runTrainingStep } from '../forecast/learning/load-learning.js';
import type { Decision, Observation } from '../model/decision.js';
import type { ArrivalEnvelope } from '../model/expected-load.js';
import { holdsBack } from '../serve/rollout/trial.js';
import type { ControllerState } from './controller-state.js';
import { observeEdges, withLearnedEdges } from './feedback/edge-feedback.js';
import { observeService, observeStarts } from './feedback/profile-feedback.js';
import {
  afterChange,
  countChange,
  memoryBefore,
  reviewTrial,
  withFailures,
  withoutChange,
} from './guard/change-trial.js';
import { inLastHour } from './guard/guardrails.js';
import { withSwitches } from './guard/switching.js';
import { withPlannedRate } from './planned-load.js';
import { protect, quietEnvelope, type Rise } from './protect.js';
import { forecastFor, isInBurst, replan, unfinishedSearch } from './replan.js';
import type { ControllerRules } from './rules.js';
import { correctedRules, rolledBackVariants, Situation } from './situation.js';

/** Result of a step. It has no decision if the fast loop has nothing to do. */
export interface ControlStep {
  readonly state: ControllerState;
  readonly decision?: Decision;
}

/** Time (ms) between training steps. */
const MS_PER_TRAINING_STEP = 1000;

export function tickMs({ spec: { control }, policy }: Pick<ControllerRules, 'spec' | 'policy'>): number {
  return policy.protects
    ? Math.min(control.intervalMs, control.fastIntervalMs ?? control.intervalMs)
    : control.intervalMs;
}

/** Takes one step. Pass the same `rules` object at each tick, because plans are cached by it. */
export function controlStep(rules: ControllerRules, known: ControllerState, observation: Observation): ControlStep {
  const before = afterChange(known, observation);
  const { nextPlanAtMs, isDue } = planSchedule(rules, before, observation);
  const learned = observe(rules, { ...before, nextPlanAtMs }, { observation, isDue });
  const situation = situationOf(rules, learned, observation);
  const { state, decision } = decide(situation, learned, isDue);
  if (decision === undefined) return { state };
  const switches = withSwitches(state.switches, decision, observation.atMs);
  const after = { ...state, switches, ...(decision.kind === 'apply' && changeUnderWay(before, situation, decision)) };
  return { decision: withRobustness(rules, withLearnedEdges(decision, learned.edges)), state: after };
}

function withRobustness({ spec: { robustness } }: ControllerRules, decision: Decision): Decision {
  return robustness === undefined ? decision : { ...decision, evidence: { ...decision.evidence, robustness } };
}

/** True if the fast loop would act on this observation, which then preempts planning. */
export function wouldProtect(rules: ControllerRules, state: ControllerState, observation: Observation): boolean {
  return rules.policy.protects && protectStep(situationOf(rules, state, observation), state).decision !== undefined;
}

/** Least interval (ms) of ticks if replicas start slowly: the fast loop follows the forecast, too. */
const SLOW_START_TICK_MS = 2_000;

/** How long the fast loop has nothing to do, unless more than `most` arrives in a window. */
export interface Quiet {
  readonly untilMs: number;
  readonly most: ArrivalEnvelope;
}

/** Undefined if each tick may matter: in a burst, during a trial or a change, with stale sources. */
export function quietAfter(
  rules: ControllerRules,
  state: ControllerState,
  observation: Observation,
): Quiet | undefined {
  const { atMs, changing, staleSources } = observation;
  const { planned, nextPlanAtMs, trial } = state;
  const isBusy = changing === true || trial !== undefined || staleSources.length > 0 || isInBurst(state, atMs);
  if (isBusy || planned === undefined || nextPlanAtMs === undefined || !rules.policy.protects) return undefined;
  const situation = situationOf(rules, state, observation);
  // Up to half a tick early counts as due.
  const dueAtMs = nextPlanAtMs - tickMs(rules) / 2;
  const lookAgainMs = Math.max(SLOW_START_TICK_MS, situation.lookAgainMs);
  const untilMs = situation.actsSlowly ? Math.min(dueAtMs, atMs + lookAgainMs) : dueAtMs;
  return { untilMs, most: quietEnvelope(situation, planned) };
}

export function trainBetweenTicks(rules: ControllerRules, state: ControllerState): ControllerState {
  if (rules.learning === undefined) return state;
  let { learning } = state;
  let savedMs = (state.savedMs ?? 0) + tickMs(rules);
  for (; savedMs >= MS_PER_TRAINING_STEP; savedMs -= MS_PER_TRAINING_STEP)
    learning = runTrainingStep(learning, rules.learning);
  return { ...state, learning, savedMs };
}

/** Time of the next plan, and whether it is due. */
export function planSchedule(
  rules: ControllerRules,
  { nextPlanAtMs }: ControllerState,
  { atMs, changing }: Observation,
) {
  const everyMs = tickMs(rules);
  const { intervalMs } = rules.spec.control;
  // A plan due later than one interval from now means that the clock was set back: restart the grid.
  const isGrid = nextPlanAtMs !== undefined && nextPlanAtMs <= atMs + intervalMs;
  const dueAtMs = isGrid ? nextPlanAtMs : atMs - everyMs + intervalMs;
  // Up to half a tick early counts as due, because timers jitter.
  return { nextPlanAtMs: dueAtMs, isDue: changing !== true && atMs + everyMs / 2 >= dueAtMs };
}

/** Adds the facts of a tick to the state. Corrections and edges in force change only if a plan is due. */
function observe(
  rules: ControllerRules,
  state: ControllerState,
  { observation, isDue: due }: { readonly observation: Observation; readonly isDue: boolean },
): ControllerState {
  const { learning: methods } = rules;
  return {
    ...state,
    edges: observeEdges(rules, state.edges, { observation, due }),
    failures: withFailures(state.failures, observation) ?? state.failures,
    learning: methods ? observeLoad(state.learning, observation.load, observation.atMs, methods) : state.learning,
    service: observeService(rules, state.service, { observation, due }),
    starts: observeStarts(state.starts, observation),
  };
}

function situationOf(
  rules: ControllerRules,
  { service: { corrections }, starts, edges, plannedRates, search, backOff }: ControllerState,
  observation: Observation,
): Situation {
  return new Situation({
    rules: correctedRules(rules, { corrections, edges: edges?.inForce }),
    observation,
    plannedRates,
    starts: starts.times,
    search,
    rolledBack: rules.guardrails === undefined ? [] : rolledBackVariants(observation, backOff),
  });
}

/** Rolls back, protects or replans, in this order. A burst cannot wait for a verified plan, which stays due. */
function decide(situation: Situation, state: ControllerState, isDue: boolean): ControlStep {
  const isChanging = situation.observation.changing === true;
  const reviewed = isChanging ? { state } : reviewTrial(situation, state);
  if (reviewed.decision !== undefined) return reviewed;
  const protection = situation.rules.policy.protects
    ? protectStep(situation, reviewed.state)
    : { state: reviewed.state };
  return protection.decision !== undefined || !isDue ? protection : replanStep(situation, reviewed.state);
}

function protectStep(situation: Situation, state: ControllerState): ControlStep {
  const { observation, rates, spec } = situation;
  const { atMs } = observation;
  // Before the first plan, the load is unknown: use the load that running replicas sustain.
  const planned = state.planned ?? situation.sustainableLoad;
  if (planned === undefined) return { state };
  const inBurst = isInBurst(state, atMs);
  const rise = riseOf(situation, state);
  const protection = protect(situation, { planned, inBurst, rise, underWay: state.underWay });
  if (protection === undefined) return { state };
  const { decision, load } = protection;
  // A decision that replaces a change under way counts as part of that change.
  const rest = { ...(observation.changing === true ? withoutChange(state) : state), trial: undefined };
  // Answers to one rise count as one change per interval.
  const sinceMs = decision.evidence.burst === undefined ? atMs - spec.control.intervalMs : atMs;
  const appliedAtMs = [...inLastHour(rest.appliedAtMs, atMs).filter((each) => each <= sinceMs), atMs];
  const plannedRates = withPlannedRate(rates, { atMs, arrivalRps: load.arrivalRps, forBurst: true });
  return { state: { ...rest, planned: load, plannedRates, appliedAtMs, protectedAtMs: atMs }, decision };
}

/** Rise that the fast loop answers if it exceeds the planned load. */
function riseOf(situation: Situation, state: ControllerState): Rise | undefined {
  const { actsSlowly, sustainableLoad } = situation;
  const heldUp = isHeldUp(situation, state);
  if (!heldUp && !actsSlowly) return undefined;
  const forecast = forecastFor(situation, state);
  // The answer may switch variants without a canary.
  if (heldUp && sustainableLoad !== undefined && forecast.meanRps > sustainableLoad.arrivalRps)
    return { forecast, cause: 'held-up' };
  return actsSlowly ? { forecast, cause: 'slow-starts' } : undefined;
}

/** True if a change under way, such as a canary, delays the plan that is due. A roll-back is not disturbed. */
function isHeldUp({ observation: { atMs, changing } }: Situation, { nextPlanAtMs, backOff }: ControllerState): boolean {
  if (changing !== true || nextPlanAtMs === undefined || atMs < nextPlanAtMs) return false;
  return backOff === undefined || !holdsBack(backOff, atMs);
}

function replanStep(situation: Situation, state: ControllerState): ControlStep {
  const { atMs } = situation.observation;
  const { intervalMs } = situation.spec.control;
  const nextPlanAtMs = (state.nextPlanAtMs ?? atMs) + intervalMs;
  // Keeps the grid. Plans missed in a long pause are skipped.
  const next = { ...state, nextPlanAtMs: nextPlanAtMs > atMs ? nextPlanAtMs : atMs + intervalMs };
  const decision = replan(situation, next);
  const { load: planned } = decision.evidence;
  const plannedRates = planned && withPlannedRate(state.plannedRates, { atMs, arrivalRps: planned.arrivalRps });
  const search = unfinishedSearch(situation, decision.evidence);
  const after = { ...next, search, ...(planned && plannedRates && { planned, plannedRates }) };
  if (decision.kind === 'hold') return { state: after, decision };
  return { state: countChange(situation, after, { decision, before: state }), decision };
}

/**
 * Memory to keep until the outcome of a change is known. If a change replaces another, the memory from before the first
 * stays.
 */
function changeUnderWay(
  before: ControllerState,
  { observation: { changing }, rolledBack }: Situation,
  { plan }: Decision & { kind: 'apply' },
) {
  const returnsTo = changing === true ? before.beforeChange : undefined;
  const isRetry = rolledBack.some(({ stageId, variantId }) => plan.stages[stageId]?.[0]?.variantId === variantId);
  return { beforeChange: returnsTo ?? memoryBefore(before), underWay: plan.stages, isRetry: isRetry || undefined };
}
