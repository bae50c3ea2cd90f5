import { AppError } from '../../model/app-error.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';

export function closingError(stageId: StageId): AppError {
  return new AppError('REPLICA_LOST', `Stage '${stageId}' was not changed: its replicas are being closed.`);
}

export function noHeadroom(stageId: StageId, { variantId, replicas, resources }: StagePlan): AppError {
  const wanted = `${replicas} × ${resources.cpuCores} cores of ${variantId}`;
  return new AppError(
    'INFEASIBLE',
    `Stage '${stageId}' was not changed to ${wanted}: there is no headroom to start a replica next to those that serve; raise control.surge.cpuCores or leave headroom in the budget.`,
    { details: { stage: stageId } },
  );
}

export function tooSlow(stageId: StageId, maxSurgeMs: number): AppError {
  const limit = `${maxSurgeMs / 1000} s of control.surge.maxSeconds`;
  return new AppError(
    'MODEL_LOAD_FAILED',
    `Stage '${stageId}' was not changed: its replicas did not start within the ${limit}.`,
    {
      details: { stage: stageId },
    },
  );
}

export function canaryFailed(
  stageId: StageId,
  { variantId, fraction, why }: { readonly variantId: VariantId; readonly fraction: number; readonly why: string },
): AppError {
  const at = fraction === 0 ? 'before it got a request' : `at ${Math.round(100 * fraction)} % of the requests`;
  const message = `Stage '${stageId}': variant ${variantId} was rolled back ${at}: ${why}.`;
  return new AppError('CANARY_FAILED', message, { details: { stage: stageId, variant: variantId } });
}
