import type { Plan } from '../model/plan.js';
import { runningStages } from '../model/running-plan.js';
import type { CaseFile, DatedDecision } from './case-file.js';

/** Plan in force when the harm began: what the first decision since then saw, or else what the last one before it did. */
export function stagesAtOnset(file: CaseFile): Plan['stages'] | undefined {
  const { episode, input } = file;
  const sinceMs = file.epochMsOf(episode.from) - 1000;
  const seen = (dated: DatedDecision | undefined) => dated?.runningPlan && runningStages(input.spec, dated.runningPlan);
  const last = input.decisions.findLast(({ atEpochMs }) => atEpochMs < sinceMs);
  return (
    seen(input.decisions.find(({ atEpochMs }) => atEpochMs >= sinceMs)) ??
    (last?.decision.kind === 'apply' ? last.decision.plan.stages : seen(last)) ??
    file.decided({ from: 0, to: episode.from + 1 }, (decision) =>
      decision.kind === 'apply' ? decision.plan.stages : undefined,
    )
  );
}
