/**
 * What it costs to move a stage from what runs to an option: replicas that must be started are paid for while they load and give no
 * capacity meanwhile. Spread over the time that a choice is expected to stay in force, that is
 * started replicas × price of one per hour × load time ÷ time in force, a cost per hour like any other and additive over stages.
 * Stopping replicas costs nothing.
 */
import type { VariantId } from '../../model/ids.js';
import type { Resources } from '../../model/pipeline-spec.js';
import type { RunningStage } from '../../model/running-plan.js';

/** The replicas an option wants, with what starting one costs. */
export interface SwitchTarget {
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly replicas: number;
  readonly replicaCostPerHour: number;
  readonly loadMs: number;
}

/** Cost per hour of reaching `target` when it stays in force for `inForceMs`; 0 when nothing runs yet. */
export function switchingCostPerHour(
  target: SwitchTarget,
  running: RunningStage | undefined,
  inForceMs: number,
): number {
  if (running === undefined || !(inForceMs > 0)) return 0;
  const reusable = running.replicas.filter(
    (replica) =>
      (replica.status === 'ready' || replica.status === 'starting') &&
      replica.variantId === target.variantId &&
      replica.resources.cpuCores === target.resources.cpuCores,
  ).length;
  const started = Math.max(0, target.replicas - reusable);
  return (started * target.replicaCostPerHour * target.loadMs) / inForceMs;
}
