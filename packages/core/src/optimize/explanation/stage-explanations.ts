import { stageLoads } from '../../estimate/stage-load.js';
import type { StageId } from '../../model/ids.js';
import { exactTimes } from '../options/option-times.js';
import type { StageOption } from '../options/stage-option.js';
import { optionLatencyMs } from '../options/surrogate.js';
import { graphLatencyMs } from '../problem/planning-graph.js';
import { type ExplainedPlan, optionsOf } from './explained-plan.js';
import type { BindingStages, StageExplanation } from './plan-explanation.js';
import { rejectedVariants } from './variant-verdict.js';

function latencyOf({ prepared, factors }: ExplainedPlan, s: number, option: StageOption | undefined): number {
  const stage = prepared.stages[s];
  if (stage === undefined || option === undefined) return 0;
  return optionLatencyMs(option.exact ? option : exactTimes(stage, option), factors);
}

export function stageExplanations(explained: ExplainedPlan): Readonly<Record<StageId, StageExplanation>> {
  const { prepared, result } = explained;
  const { graph, spec, sloMs } = prepared;
  const chosen = optionsOf(prepared, result.plan) ?? [];
  const cost = result.plan.predicted.costPerHour;
  const visits = stageLoads(spec, 1);
  const latenciesMs = spec.stages.map((_, s) => latencyOf(explained, s, chosen[s]));
  const wholeMs = graphLatencyMs(graph, (s) => latenciesMs[s] ?? 0);
  return Object.fromEntries(
    spec.stages.map((stage, s): [string, StageExplanation] => {
      const withoutMs = graphLatencyMs(graph, (t) => (t === s ? 0 : (latenciesMs[t] ?? 0)));
      return [
        stage.id,
        {
          latencyMs: latenciesMs[s] ?? 0,
          sloFraction: (wholeMs - withoutMs) / sloMs,
          costFraction: cost > 0 ? (chosen[s]?.use[3] ?? 0) / cost : 0,
          capacityRps: (chosen[s]?.capacityRps ?? 0) / (visits.get(stage.id)?.visits || 1),
          ...rejectedVariants(explained, s, chosen[s]),
        },
      ];
    }),
  );
}

export function bindingStages(stages: Readonly<Record<StageId, StageExplanation>>): BindingStages {
  const largest = (amountOf: (stage: StageExplanation) => number): StageId => {
    const all = Object.entries(stages).map(([id, stage]) => ({ id: id as StageId, amount: amountOf(stage) }));
    return all.reduce((best, next) => (next.amount > best.amount ? next : best)).id;
  };
  return {
    latency: largest((stage) => stage.sloFraction),
    cost: largest((stage) => stage.costFraction),
    capacity: largest((stage) => -stage.capacityRps),
  };
}
