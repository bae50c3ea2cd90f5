import type { Plan } from '../model/plan.js';
import { runningStages } from '../model/running-plan.js';
import type { CaseFile, DatedDecision } from './case-file.js';

/** Plan in force when the harm began: what the first decision since then saw, or else what the last one before it did. */
export function stagesAtOnset(file: CaseFile): Plan['stages'] | undefined {
  const { extent, input } = file;
  const sinceMs = file.epochMsOf(extent.from) - 1000;
  const seen = (dated: DatedDecision | undefined) => dated?.runningPlan && runningStages(input.spec, dated.runningPlan);
  const applied = (dated: DatedDecision | undefined) =>
    dated?.decision.kind === 'apply' && dated.isUnapplied !== true ? dated.decision.plan.stages : undefined;
  const last = input.decisions.findLast(({ atEpochMs }) => atEpochMs < sinceMs);
  return (
    seen(input.decisions.find(({ atEpochMs }) => atEpochMs >= sinceMs)) ??
    applied(last) ??
    seen(last) ??
    applied(input.decisions.findLast((dated) => dated.atEpochMs <= file.epochMsOf(extent.from) && applied(dated)))
  );
}
