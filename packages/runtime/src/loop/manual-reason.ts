import type { ManualAction, Plan, StageId } from '@equipoise/core/model';

export function manualReason(
  { action, decisionId, canary, warning, reason }: ManualAction,
  plan: Plan,
  broken: readonly string[],
): string {
  const what =
    action === 'roll-back'
      ? `back to the good plan before (${replicasText(plan)}), by hand`
      : decisionId === undefined
        ? 'a plan given by hand'
        : `the plan of decision ${decisionId}, by hand`;
  const against =
    broken.length === 0 ? '' : `, against the pin of ${broken.join('; ')}, which the loop follows again in mode auto`;
  const how = canary === false ? ', without a canary' : '';
  const but = warning === undefined ? '' : `; ${warning}`;
  return `${what}${how}${against}${reason === undefined ? '' : `: ${reason}`}${but}`;
}

function replicasText({ stages }: Plan): string {
  const each = ([id, parts]: readonly [string, Plan['stages'][StageId]]) =>
    parts.map(({ replicas, variantId }) => `${id}: ${replicas} ${variantId}`);
  return Object.entries(stages).flatMap(each).join(', ');
}
