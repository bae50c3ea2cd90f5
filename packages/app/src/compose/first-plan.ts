import { profileObjection } from '@equipoise/core/control';
import {
  AppError,
  bindingText,
  type PinsByStage,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  type StagePins,
} from '@equipoise/core/model';
import type { PolicyName, ServiceCurves } from '@equipoise/core/plan';
import { coresText } from '../terminal/plan-table.js';

/**
 * First plan. `ofLead`: that of another router. `passedOver`: reasons not to restore the saved plan. `lostPins`: reasons to
 * ignore manual pins.
 */
export type FirstPlan =
  | { readonly kind: 'resumed'; readonly plan: Plan; readonly ofLead?: true }
  | { readonly kind: 'given'; readonly plan: Plan }
  | {
      readonly kind: 'made';
      readonly plan: Plan;
      readonly result: PlanResult;
      readonly passedOver?: string;
      readonly lostPins?: string;
    };

export function planOfResult(result: PlanResult): Plan | undefined {
  return result.kind === 'feasible' ? result.plan : result.bestEffort;
}

const unmeasuredText = bindingText('unmeasured-accuracy');
const isUnmeasured = (result: PlanResult): boolean =>
  result.kind !== 'feasible' && result.bindingConstraint === 'unmeasured-accuracy';

/** Error if no plan exists. Names the pins of the pipeline file, which may be the cause. */
export function nothingFits({ stages }: Pick<PipelineSpec, 'stages'>, result: PlanResult): AppError {
  const pinned = stages.flatMap(({ id, pins }) => (Object.keys(pins).length === 0 ? [] : [pinText(id, pins)]));
  if (isUnmeasured(result)) {
    const given = pinned.length === 0 ? 'In this pipeline' : `With the pins ${pinned.join('; ')}`;
    return new AppError('INFEASIBLE', `${given}, ${unmeasuredText}.`, { details: { result } });
  }
  const among = pinned.length === 0 ? '' : `, among them the pins ${pinned.join('; ')}`;
  const remedy =
    pinned.length === 0 ? 'raise the budget or widen the bounds' : 'raise the budget, or remove pins or bounds';
  return new AppError(
    'INFEASIBLE',
    `No plan fits the budget and bounds of this pipeline${among}: ${remedy} in the pipeline file.`,
    { details: { result } },
  );
}

export function lostPinsText(pins: PinsByStage, result: PlanResult): string {
  const pinned = Object.entries(pins).map(([id, each]) => pinText(id, each));
  const reason = isUnmeasured(result) ? unmeasuredText : 'no plan fits the budget and the profile';
  return `with ${pinned.join('; ')} ${reason}; the pins are ignored: pin other values (POST …/pin), or remove the pins (POST …/unpin)`;
}

function pinText(id: string, pins: StagePins): string {
  const choices = Object.entries(pins).map(([name, value]) => `${name} ${value}`);
  return `${id}: ${choices.join(', ')}`;
}

/** Reason not to restore a saved plan: for example, its profiles or the machine changed. */
export function resumeObjection(
  { budget }: Pick<PipelineSpec, 'budget'>,
  plan: Pick<Plan, 'stages' | 'predicted'>,
  curves: Pick<ServiceCurves, 'curve'>,
): string | undefined {
  const unprofiled = profileObjection(plan, curves);
  if (unprofiled !== undefined) return unprofiled;
  const { cpuCores } = plan.predicted;
  if (cpuCores <= (budget.cpuCores ?? Number.POSITIVE_INFINITY)) return undefined;
  return `it needs ${coresText(cpuCores)}, but the budget is ${budget.cpuCores}`;
}

export function firstReason(first: FirstPlan, policy: PolicyName): string {
  if (first.kind === 'resumed') return 'the last good plan';
  if (first.kind === 'given') return 'the given plan';
  if (first.result.kind === 'feasible') return `the first plan, by ${policy}`;
  return `the first plan, a best effort: no plan is feasible: ${bindingText(first.result.bindingConstraint)}`;
}
