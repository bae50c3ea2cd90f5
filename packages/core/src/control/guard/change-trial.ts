/**
 * The last change of the loop: its trial, its outcome, and the plan to return to (docs/explain/control.md, Guardrails).
 *
 * A trial starts when its change is complete. A burst above the previous plan's load prevents a roll-back.
 */
import type { Observation } from '../../model/decision.js';
import type { ExpectedLoad } from '../../model/expected-load.js';
import type { StageVariant } from '../../model/ids.js';
import type { Slo } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import { fastestMissFraction } from '../../serve/rollout/canary.js';
import { type BackOff, backOffAfter, TRIAL_MS } from '../../serve/rollout/trial.js';
import { diffPlans } from '../diff-plans.js';
import { keepsPins } from '../plan-facts.js';
import type { PlannedRate } from '../planned-load.js';
import { detectBurst, plannedEnvelope } from '../protect.js';
import type { Situation } from '../situation.js';
import { type ApplyDecision, inLastHour } from './guardrails.js';
import type { VariantSwitch } from './switching.js';

export interface Trial {
  readonly before: Plan;
  /** Load that the previous plan was made for. */
  readonly beforeLoad: ExpectedLoad;
  readonly sinceMs: number;
  readonly missedAtStart: number;
  /** Fraction of requests that failed before the trial, so not because of the new plan; default 0. */
  readonly failedBefore?: number;
}

export type TrialVerdict = 'open' | 'passed' | 'failed';

export interface ImprovementBackOff extends BackOff {
  readonly variants?: readonly StageVariant[] | undefined;
}

/** Failures up to `atMs` that the plan may have caused. */
export interface FailureCount {
  readonly atMs: number;
  readonly failedTotal: number;
}

export interface BeforeChange {
  readonly planned?: ExpectedLoad | undefined;
  /** Planned rates of the last minute, oldest first; absent before the first plan. */
  readonly plannedRates?: readonly PlannedRate[] | undefined;
  readonly appliedAtMs: readonly number[];
  readonly protectedAtMs?: number | undefined;
  /** Switches of the last 20 minutes. */
  readonly switches: readonly VariantSwitch[];
  readonly trial?: Trial | undefined;
}

export interface ChangeMemory extends BeforeChange {
  /** Undefined before the first tick. */
  readonly nextPlanAtMs?: number | undefined;
  readonly backOff?: ImprovementBackOff | undefined;
  /** Memory to restore; set until the outcome of the last change is known. */
  readonly beforeChange?: BeforeChange | undefined;
  /** Target of that change; set together with `beforeChange`. */
  readonly underWay?: Plan['stages'] | undefined;
  /** True if that change uses a variant in back-off. */
  readonly isRetry?: boolean | undefined;
}

/** Misses in this time (ms) at the start of a trial do not count: the change causes them. */
const SETTLING_MS = 3_000;
const COUNT_EVERY_MS = 5_000;
const FEWEST_ARRIVALS = 50;

function settleTrial(trial: Trial, observation: Observation): Trial {
  const elapsedMs = observation.atMs - trial.sinceMs;
  const settles = elapsedMs >= 0 && elapsedMs <= SETTLING_MS;
  return settles ? { ...trial, missedAtStart: missedRequests(observation) } : trial;
}

/** Dropped requests, and failures that the plan may have caused, so far. */
function missedRequests({ stages, failedTotal = 0 }: Observation): number {
  return Object.values(stages).reduce((sum, { droppedTotal }) => sum + droppedTotal, failedTotal);
}

/** Judges a trial. One that starts in the future (clock set back) has passed. */
function judgeTrial(trial: Trial, observation: Observation, { percentile }: Slo): TrialVerdict {
  const elapsedMs = observation.atMs - trial.sinceMs;
  const seconds = Math.max(0, Math.floor((elapsedMs - SETTLING_MS) / 1000));
  const arrived = arrivedIn(observation.load, seconds);
  const missed = missedRequests(observation) - trial.missedAtStart;
  const isTelling = elapsedMs > SETTLING_MS && arrived >= FEWEST_ARRIVALS;
  const mostMissed = (fastestMissFraction(percentile) + (trial.failedBefore ?? 0)) * arrived;
  if (isTelling && missed > mostMissed) return 'failed';
  return elapsedMs >= TRIAL_MS || elapsedMs < 0 ? 'passed' : 'open';
}

export function isUnderTrial({ sinceMs }: Trial, nowMs: number): boolean {
  return sinceMs <= nowMs && nowMs - sinceMs < TRIAL_MS;
}

/**
 * Adds a count if none is newer than 5 s. Drops counts older than `TRIAL_MS`. Undefined if failures are not counted.
 */
export function withFailures(
  counts: readonly FailureCount[] = [],
  { atMs, failedTotal }: Observation,
): readonly FailureCount[] | undefined {
  if (failedTotal === undefined) return undefined;
  const recent = counts.filter((count) => count.atMs <= atMs && atMs - count.atMs <= TRIAL_MS);
  const last = recent.at(-1);
  if (last === undefined || atMs - last.atMs >= COUNT_EVERY_MS) return [...recent, { atMs, failedTotal }];
  return recent.length === counts.length ? counts : recent;
}

/** Fraction of failed requests since the oldest count; 0 with too few arrivals. */
function failedFraction([oldest]: readonly FailureCount[] = [], { atMs, failedTotal = 0, load }: Observation): number {
  if (oldest === undefined) return 0;
  const arrived = arrivedIn(load, Math.floor((atMs - oldest.atMs) / 1000));
  return arrived < FEWEST_ARRIVALS ? 0 : Math.min(1, Math.max(0, failedTotal - oldest.failedTotal) / arrived);
}

function arrivedIn({ arrivalsPerSecond }: Observation['load'], seconds: number): number {
  return arrivalsPerSecond.slice(Math.max(0, arrivalsPerSecond.length - seconds)).reduce((a, b) => a + b, 0);
}

/** Memory to restore if the change of this step is not carried out. */
export function memoryBefore(memory: ChangeMemory): BeforeChange {
  const { planned, plannedRates, trial, appliedAtMs, switches, protectedAtMs } = memory;
  return { planned, plannedRates, trial, appliedAtMs, switches, protectedAtMs };
}

/** The memory as it was before the change under way. `beforeChange` stays set. */
export function withoutChange<Memory extends ChangeMemory>(memory: Memory): Memory {
  if (memory.beforeChange === undefined) return memory;
  const unset = { planned: undefined, plannedRates: undefined, trial: undefined, protectedAtMs: undefined };
  return { ...memory, ...unset, ...memory.beforeChange };
}

export function afterChange<Memory extends ChangeMemory>(memory: Memory, observation: Observation): Memory {
  const { lastChange, atMs } = observation;
  if (lastChange === undefined || memory.beforeChange === undefined) return memory;
  const ended = { beforeChange: undefined, underWay: undefined, isRetry: undefined };
  if (lastChange.kind === 'applied') {
    const trial = memory.trial && { ...memory.trial, sinceMs: atMs, missedAtStart: missedRequests(observation) };
    return { ...memory, ...ended, trial };
  }
  // A failing start would otherwise be retried at every tick.
  const backOff =
    lastChange.kind === 'failed' ? { ...memory.backOff, ...backOffAfter(atMs, memory.backOff) } : memory.backOff;
  const nextPlanAtMs = memory.isRetry === true ? memory.nextPlanAtMs : atMs;
  return { ...withoutChange(memory), ...ended, nextPlanAtMs, backOff };
}

interface Reviewed<Memory> {
  readonly state: Memory;
  readonly decision?: ApplyDecision;
}

/**
 * Reviews the trial. A passed trial ends. A failed trial rolls its change back if the previous plan still suits pins
 * and load.
 */
export function reviewTrial<Memory extends ChangeMemory>(situation: Situation, state: Memory): Reviewed<Memory> {
  const { rules, spec, observation, rates } = situation;
  const { trial } = state;
  const without: Memory = { ...state, trial: undefined };
  if (rules.guardrails === undefined || trial === undefined || observation.staleSources.length > 0) return { state };
  const verdict = judgeTrial(trial, observation, spec.slo);
  if (verdict === 'open') return { state: { ...state, trial: settleTrial(trial, observation) } };
  if (verdict === 'passed') return { state: { ...without, backOff: undefined } };
  // Pins may have changed since.
  if (!keepsPins(spec, trial.before)) return { state: without };
  const { atMs, load, runningPlan } = observation;
  // The previous plan cannot serve a burst.
  const isBurst =
    detectBurst(load, plannedEnvelope(trial.beforeLoad, { before: { rates, nowMs: atMs } })) !== undefined;
  if (isBurst) return { state: without };
  const changes = diffPlans(runningPlan, trial.before, spec);
  const variants = changes.flatMap((change) =>
    change.kind === 'switch-variant' && change.fromVariantId !== undefined
      ? [{ stageId: change.stageId, variantId: change.fromVariantId }]
      : [],
  );
  const backOff = { ...backOffAfter(atMs, state.backOff), variants };
  const appliedAtMs = [...inLastHour(state.appliedAtMs, atMs), atMs];
  const after = { ...without, planned: trial.beforeLoad, backOff, appliedAtMs };
  if (changes.length === 0) return { state: after };
  const missed = missedRequests(observation) - trial.missedAtStart;
  const reason = `back to the plan before: ${missed} requests were dropped or failed since the last change`;
  const { arrivalRps } = trial.beforeLoad;
  const forecast = { method: 'planned', meanRps: arrivalRps, upperRps: arrivalRps };
  const evidence = { forecast, load: trial.beforeLoad, necessary: true };
  return { state: after, decision: { kind: 'apply', plan: trial.before, changes, reason, evidence } };
}

/** Counts a change of the slow loop. An improvement goes on trial if the load of the previous plan is known. */
export function countChange<Memory extends ChangeMemory & { readonly failures?: readonly FailureCount[] | undefined }>(
  { rules, observation, runningPlan: running }: Situation,
  state: Memory,
  { decision, before: { planned: beforeLoad, trial } }: { decision: ApplyDecision; before: ChangeMemory },
): Memory {
  const { atMs } = observation;
  const appliedAtMs = [...inLastHour(state.appliedAtMs, atMs), atMs];
  const counted: Memory = { ...state, trial: undefined, appliedAtMs };
  if (rules.guardrails === undefined || decision.evidence.necessary === true) return counted;
  if (running === undefined || beforeLoad === undefined) return counted;
  const missedAtStart = missedRequests(observation);
  // The counted failures may be due to the change on trial.
  const failedBefore = trial?.failedBefore ?? failedFraction(state.failures, observation);
  return { ...counted, trial: { before: running, beforeLoad, sinceMs: atMs, missedAtStart, failedBefore } };
}
