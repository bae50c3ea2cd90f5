/**
 * Slow loop: forecasts the load, plans for it, and keeps the change within accuracy floor, switching rules and
 * guardrails.
 */
import type { Forecaster } from '../forecast/forecaster.js';
import { learnedForecast } from '../forecast/learning/load-learning.js';
import type { Decision, Forecast, LoadObservation } from '../model/decision.js';
import type { ControllerState } from './controller-state.js';
import { keepFloor } from './feasible-rate.js';
import { guardDecision, passOver } from './guard/guardrails.js';
import { isWorthSwitching, switchedStages, switchObjection, withRunningVariants } from './guard/switching.js';
import { decideByPlan } from './plan-decision.js';
import type { GuardrailRules } from './rules.js';
import type { Situation } from './situation.js';

/** Time (ms) after a burst answer in which more is likely. */
const IN_BURST_MS = 10_000;
/** Fractions of the way from the expected to the upper rate, tried until one is feasible. */
const FEASIBLE_FRACTIONS = [1, 0.5, 0];

/** Makes the decision when a plan is due. */
export function replan(situation: Situation, state: ControllerState): Decision {
  return guardDecision(situation, state, switchIfWorthwhile(situation, state));
}

/** Was a burst answered recently? */
export function isInBurst({ protectedAtMs = Number.NEGATIVE_INFINITY }: ControllerState, atMs: number): boolean {
  const sinceMs = atMs - protectedAtMs;
  return sinceMs >= 0 && sinceMs < IN_BURST_MS;
}

/** Switches variants only if that is worth it and no stage has to rest. */
function switchIfWorthwhile(situation: Situation, state: ControllerState): Decision {
  const { rules, spec, observation } = situation;
  const { guardrails } = rules;
  const forecaster = forecasterOf(situation, state);
  if (guardrails === undefined) return decideByPlan(situation, forecaster);
  const feasible = feasibleForecaster(situation, forecaster);
  const free = keepFloor(situation, decideByPlan(situation, feasible));
  const running = situation.runningPlan;
  // Pins are not weighed.
  const switched = switchedStages(free).filter(
    (id) => spec.stages.find((stage) => stage.id === id)?.pins.variantId === undefined,
  );
  if (running === undefined || free.kind !== 'apply' || switched.length === 0) return free;
  const kept = decideByPlan(situation.under(withRunningVariants(rules, running)), feasible);
  if (kept.evidence.result?.kind !== 'feasible') return free;
  const arrivalRps = free.evidence.load?.arrivalRps ?? 0;
  const { switches, plannedRates } = state;
  const history = { switches, plannedRates, nowMs: observation.atMs, minDwellMs: spec.control.minDwellMs };
  const objection = switchObjection(switched, { ...history, arrivalRps });
  if (objection !== undefined) return passOver(kept, free.plan, objection);
  const keptPlan = kept.kind === 'apply' ? kept.plan : running;
  return isWorthSwitching(free.plan, keptPlan, { objective: spec.objective, rules: guardrails })
    ? free
    : passOver(kept, free.plan, 'it switches variants and gains too little beside the best plan without');
}

/** The learned methods, else the simple forecaster; at least the rate of a recent burst. */
function forecasterOf({ rules, observation }: Situation, state: ControllerState): Forecaster {
  const { guardrails, forecaster: simple, recordedForecast: learned } = rules;
  const { learning, planned } = state;
  const leastRps = isInBurst(state, observation.atMs) ? (planned?.arrivalRps ?? 0) : 0;
  const sane = (each: Forecast, load: LoadObservation) =>
    guardrails === undefined ? each : sanitizeForecast(each, load, guardrails);
  return (load, horizonMs, atMs) => {
    const forecasts = [
      learned === undefined ? learnedForecast(learning, load) : learned(load),
      simple(load, horizonMs, atMs),
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
    return { ...forecast, upperRps: Math.max(upperRps, leastRps), ...(passedOver.length > 0 && { passedOver }) };
  };
}

/** Fallback if no method gives a number. */
function lastSecondForecast({ arrivalsPerSecond }: LoadObservation): Forecast {
  const rps = arrivalsPerSecond.at(-1) ?? 0;
  return { method: 'last-second', meanRps: rps, upperRps: rps };
}

/** The forecaster with an upper rate that is feasible at the accuracy floor, if any is. */
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

/** The forecast, bounded by past arrivals; undefined if it is no number. */
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
