/**
 * Time that a plan takes to act, and horizon that its forecast needs.
 *
 * D is the time until a plan acts: its replicas have started, some at a time and stage after stage, and one has
 * answered. Meanwhile a rate that rises by r a second leaves r·D²/2 requests waiting. A plan for the rate at horizon h
 * then has r·(h − D) to spare for them. They are served within the slack W of the SLO if D²/2 ≤ (h − D)·W, so h = D·(1
 * + D/(2W)): a tighter SLO needs a longer horizon. The queue gets at most D to drain, because later answers would be
 * dropped.
 */
import { stageLoads } from '../estimate/stage-load.js';
import { liveReplicas } from '../model/running-plan.js';
import { capacityRps } from '../profile/service-curve.js';
import { batchPolicies } from '../simulate/serving-policies.js';
import { startOf } from './feedback/start-feedback.js';
import type { Situation } from './situation.js';

/** Least time (ms) from the tick until a plan acts: planning, loading, draining. */
const LEAST_MS = 2_000;
/** Longest D (ms): a line through the last 80 s cannot extrapolate much further. */
const MOST_ACTING_MS = 60_000;

/** Do replicas take longer to start and answer than the slow loop allows? Then no rise can wait for its next tick. */
export const actsSlowly = (situation: Situation): boolean => actingMs(situation, 0) > LEAST_MS;

/** Forecast horizon (ms) of a plan that has to grow to `upperRps`: the next plan has to act by then. */
export function horizonMs(situation: Situation, upperRps: number): number {
  const { intervalMs } = situation.spec.control;
  if (!actsSlowly(situation)) return intervalMs + LEAST_MS;
  const actMs = actingMs(situation, upperRps);
  const drainMs = Math.min(actMs, actMs ** 2 / (2 * slackMs(situation)));
  return intervalMs + Math.min(MOST_ACTING_MS, actMs + drainMs);
}

/** Least time (ms) that a stage rests after a switch: the horizon of plans. */
export function restMs(situation: Situation): number {
  return Math.max(situation.spec.control.minDwellMs, horizonMs(situation, 0));
}

/** D for growth to `upperRps`; at least one replica of the slowest kind starts. */
function actingMs(situation: Situation, upperRps: number): number {
  const { spec, rules, starts, observation, runningStages } = situation;
  if (runningStages === undefined) return LEAST_MS;
  const loads = stageLoads(spec, upperRps);
  let [allMs, longestMs, serviceMs] = [0, 0, 0];
  for (const { id } of spec.stages) {
    const [stage] = runningStages[id] ?? [];
    const curve = stage && rules.curves.curve(id, stage.variantId, stage.resources.cpuCores);
    if (stage === undefined || curve === undefined) continue;
    const needed = Math.ceil((loads.get(id)?.arrivalRps ?? 0) / capacityRps(curve, 1, stage.maxBatchSize));
    const missing = Math.max(0, needed - liveReplicas(observation.runningPlan.stages[id]).length);
    const { startMs, atOnce } = startOf(rules, starts, { stageId: id, variantId: stage.variantId });
    allMs += startMs * Math.ceil(missing / atOnce);
    longestMs = Math.max(longestMs, startMs);
    serviceMs = Math.max(serviceMs, curve.meanMs(1));
  }
  return Math.max(LEAST_MS, Math.max(allMs, longestMs) + serviceMs);
}

/** W: the SLO without the service times of the longest path; at least 1 ms. */
function slackMs({ spec, rules, runningStages: stages = {} }: Situation): number {
  const pathMs = batchPolicies(spec, { stages }, rules.curves).map(
    ({ expectedServiceMs, remainingMs }) => (expectedServiceMs?.[1] ?? 0) + remainingMs,
  );
  return Math.max(1, spec.slo.latencyMs - Math.max(0, ...pathMs));
}
