/**
 * Brake of improvements while the SLO is missed. Burn rate: fraction of missed requests ÷ fraction that the SLO allows.
 * While it is above 2, a plan may only add replicas. A change that the SLO requires is not braked.
 */
import type { MissCount } from '../../model/decision.js';
import type { Plan } from '../../model/plan.js';
import { liveReplicas, type RunningPlan } from '../../model/running-plan.js';

const FASTEST_BURN = 2;
/** With fewer misses, chance may be the cause. */
const FEWEST_MISSES = 3;

/** Reason why a plan waits while the SLO is missed; undefined if it does not. */
export function burnObjection(
  outcomes: MissCount | undefined,
  percentile: number,
  { plan, running }: { readonly plan: Plan; readonly running: RunningPlan },
): string | undefined {
  if (outcomes === undefined || !isBurningBudget(outcomes, percentile) || isGrowth(plan, running)) return undefined;
  const percent = ((100 * outcomes.missed) / outcomes.ended).toPrecision(2);
  return `${percent} % of the last ${outcomes.ended} requests missed the SLO: replicas are only added`;
}

function isBurningBudget({ ended, missed }: MissCount, percentile: number): boolean {
  return missed >= FEWEST_MISSES && missed / ended > FASTEST_BURN * (1 - percentile / 100);
}

/** True if each stage keeps its kind of replica, its threshold and its quorum, and loses no replica. */
function isGrowth({ stages }: Plan, running: RunningPlan): boolean {
  return Object.entries(running.stages).every(([id, stage]) => {
    const live = liveReplicas(stage);
    const [next] = stages[id as keyof typeof stages] ?? [];
    if (live.length === 0) return true;
    if (next === undefined || next.replicas < live.length) return false;
    if (next.threshold !== stage.threshold || next.quorum !== stage.quorum) return false;
    return live.every(
      ({ variantId, resources }) => variantId === next.variantId && resources.cpuCores === next.resources.cpuCores,
    );
  });
}
