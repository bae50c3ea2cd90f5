/** The plan to go on with after a restart: the one of the status, which outlives whoever decided it. */
import { planObjection } from '@equipoise/core/control';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import type { PlanAnswer } from './planning.js';

/** The plan of the status as an answer; undefined where there is none, or none that this pipeline can still run. */
export function keptPlan(
  { status }: InferencePipeline,
  spec: PipelineSpec,
): Extract<PlanAnswer, { kind: 'plan' }> | undefined {
  const { plan, plannedAt, plannedForRps, conditions = [] } = status ?? {};
  if (plan === undefined || plannedAt === undefined || plannedForRps === undefined) return undefined;
  if (planObjection(spec, plan) !== undefined) return undefined;
  const plannedAtEpochMs = Date.parse(plannedAt);
  const shortfall = conditions.find(({ type, reason }) => type === 'Planned' && reason === 'BestEffort')?.message;
  return {
    ...{ kind: 'plan', plan: withoutNull(plan), profiles: [], arrivalRps: plannedForRps, plannedAtEpochMs },
    ...(shortfall !== undefined && { shortfall }),
  };
}

/** JSON has null for a latency that nothing bounds. */
function withoutNull(plan: Plan): Plan {
  const finite = <T extends { readonly latencyMs: number | null }>(of: T): T & { readonly latencyMs: number } => ({
    ...of,
    latencyMs: of.latencyMs ?? Number.POSITIVE_INFINITY,
  });
  const { predicted, verified } = plan;
  return { ...plan, predicted: finite(predicted), ...(verified && { verified: finite(verified) }) };
}
