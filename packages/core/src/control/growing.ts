/** Plans that take nothing away, for when more arrives than can be carried. */
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { keepsToBudget, withUse } from './guardrails.js';

/** The wanted plan, no stage of it with fewer replicas than run of the same kind, where the budget has room for that. */
export function growing(spec: PipelineSpec, wanted: Plan, running: Plan | undefined): Plan {
  if (running === undefined) return wanted;
  const sameKind = (a: StagePlan, b: StagePlan): boolean =>
    a.variantId === b.variantId && a.resources.cpuCores === b.resources.cpuCores;
  const stages = Object.fromEntries(
    Object.entries(wanted.stages).map(([id, stagePlans]) => {
      const [first, ...rest] = stagePlans;
      const [present] = running.stages[id as keyof typeof running.stages] ?? [];
      if (first === undefined || present === undefined || !sameKind(first, present)) return [id, stagePlans];
      return [id, [{ ...first, replicas: Math.max(first.replicas, present.replicas) }, ...rest]];
    }),
  );
  const grown = withUse(spec, { ...wanted, stages });
  return keepsToBudget(spec, grown) ? grown : wanted;
}
