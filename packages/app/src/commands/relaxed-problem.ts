import type { PlanResult } from '@equipoise/core/model';
import type { PlanningProblem } from '@equipoise/core/plan';
import { coresText } from '../terminal/plan-table.js';

export interface RelaxedProblem {
  readonly problem: PlanningProblem;
  /** Changed fields of the spec. */
  readonly change: Partial<Pick<PlanningProblem['spec'], 'budget' | 'slo'>>;
  /** Such as `a budget of 5 cores`. */
  readonly text: string;
}

/** The problem with a change that makes it feasible, by the advice of its result; undefined without such advice. */
export function relaxedProblem(
  problem: PlanningProblem,
  { fixes: { budget, slo } }: Exclude<PlanResult, { kind: 'feasible' }>,
): RelaxedProblem | undefined {
  const { spec } = problem;
  if (budget !== undefined)
    return relaxed({ budget: { ...spec.budget, ...budget } }, `a budget of ${coresText(budget.cpuCores)}`);
  // Rounded up, as in the advice.
  const latencyMs = slo && Math.ceil(slo.latencyMs);
  if (latencyMs === undefined) return undefined;
  return relaxed({ slo: { ...spec.slo, latencyMs } }, `an SLO of ${latencyMs} ms`);

  function relaxed(change: RelaxedProblem['change'], text: string): RelaxedProblem {
    return { change, text, problem: { ...problem, spec: { ...spec, ...change } } };
  }
}
