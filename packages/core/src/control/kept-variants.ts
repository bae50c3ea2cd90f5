/**
 * Is a switch of variants worth it? A replica of another variant has to be started where one more of the same kind is just added, and a plan that
 * switches to and fro with the load serves no answer better. So whoever wants to switch is held against the best plan with the variants
 * that run: the switch has to save a tenth of the cost, or bring a hundredth of PAS, beyond that.
 */
import type { StageId } from '../model/ids.js';
import type { Objective, PipelineSpec, StagePins } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ControlContext } from './on-tick.js';

/** What a switch of variants has to bring beyond the best plan without it. */
export interface SwitchRules {
  readonly leastSwitchSavingFraction: number;
  readonly leastSwitchPas: number;
}

/** The variants of a plan as pins, beside those of the file and of people, which come first. */
export function variantPins(spec: PipelineSpec, { stages }: Plan): Readonly<Record<StageId, StagePins>> {
  return Object.fromEntries(
    spec.stages.map(({ id, pins }) => {
      const [stage] = stages[id] ?? [];
      return [id, stage === undefined ? pins : { variantId: stage.variantId, ...pins }];
    }),
  );
}

const pinned = new WeakMap<ControlContext, Map<string, ControlContext>>();

/** The context that plans with the variants of `running` alone; the same object each time, so that its plans are remembered. */
export function keepingVariants<Context extends ControlContext>(context: Context, running: Plan): Context {
  const pins = variantPins(context.spec, running);
  const known = pinned.get(context) ?? new Map<string, ControlContext>();
  pinned.set(context, known);
  const key = JSON.stringify(pins);
  const stages = context.spec.stages.map((stage) => ({ ...stage, pins: pins[stage.id] ?? stage.pins }));
  const made = known.get(key) ?? { ...context, spec: { ...context.spec, stages } };
  known.set(key, made);
  return made as Context;
}

/** Whether `free` is so much better than `kept` that its switches are worth it. */
export function isWorthSwitching(
  free: Plan,
  kept: Plan,
  { objective, rules }: { readonly objective: Objective; readonly rules: SwitchRules },
): boolean {
  const saved = kept.predicted.costPerHour === 0 ? 0 : 1 - free.predicted.costPerHour / kept.predicted.costPerHour;
  const saves = saved >= rules.leastSwitchSavingFraction;
  const better = free.predicted.pas - kept.predicted.pas >= rules.leastSwitchPas;
  return objective.kind === 'min-cost' ? saves : objective.kind === 'max-accuracy' ? better : saves || better;
}
