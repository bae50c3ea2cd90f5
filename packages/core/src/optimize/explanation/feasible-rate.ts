import { stageLoads } from '../../estimate/stage-load.js';
import { showsSloMet } from '../../model/plan.js';
import { capacityRps } from '../../profile/service-curves.js';
import { exactTimes, optionTimes } from '../options/option-times.js';
import type { StageOption } from '../options/stage-option.js';
import { optionLatencyMs } from '../options/surrogate.js';
import { graphLatencyMs } from '../problem/planning-graph.js';
import { type ExplainedPlan, optionsOf } from './explained-plan.js';

const BISECTIONS = 30;
const PRECISION = 0.01;

/** Highest arrival rate at which the plan meets the SLO, at most its capacity. Bisected to 1 %. */
export function feasibleRps(explained: ExplainedPlan): number {
  const { result, problem } = explained;
  const capacity = result.plan.predicted.capacityRps;
  let [low, high] = [Math.min(problem.arrivalRps, capacity), capacity];
  for (let i = 0; i < BISECTIONS && high - low > PRECISION * high; i++) {
    const middle = (low + high) / 2;
    if (meetsSloAt(explained, middle)) low = middle;
    else high = middle;
  }
  return low;
}

function meetsSloAt(explained: ExplainedPlan, arrivalRps: number): boolean {
  const { prepared, result, verifierAt } = explained;
  if (verifierAt !== undefined) return showsSloMet(verifierAt(arrivalRps)(result.plan, prepared.spec.slo));
  const chosen = optionsOf(prepared, result.plan);
  return chosen !== undefined && latencyAt(explained, chosen, arrivalRps) <= prepared.sloMs;
}

function latencyAt({ prepared, factors }: ExplainedPlan, chosen: readonly StageOption[], arrivalRps: number): number {
  const loads = stageLoads(prepared.spec, arrivalRps);
  return graphLatencyMs(prepared.graph, (s) => {
    const option = chosen[s] as StageOption;
    const before = prepared.stages[s];
    const load = before === undefined ? undefined : loads.get(before.stage.id);
    if (before === undefined || load === undefined) return 0;
    if (load.arrivalRps >= capacityRps(option.curve, option.replicas, option.maxBatchSize))
      return Number.POSITIVE_INFINITY;
    const loaded = { ...before, load };
    const quick = optionTimes(loaded, option);
    return optionLatencyMs(quick.exact ? quick : exactTimes(loaded, option), factors);
  });
}
