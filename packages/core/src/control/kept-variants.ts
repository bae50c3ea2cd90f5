/**
 * Is a switch of variants worth it? A replica of another variant has to be started where one more of the same kind is just added, and a plan that
 * switches to and fro with the load serves no answer better. So whoever wants to switch is held against the best plan with the variants
 * that run: the switch has to save a tenth of the cost, or bring a hundredth of PAS, beyond that.
 */
import type { Decision } from '../model/decision.js';
import type { StageId } from '../model/ids.js';
import type { Objective, PipelineSpec, StagePins } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ControlContext } from './on-tick.js';

/** What a switch of variants has to bring beyond the best plan without it. */
export interface SwitchRules {
  readonly leastSwitchSavingFraction: number;
  readonly leastSwitchPas: number;
}

/** A switch of a stage's variant. */
export interface VariantSwitch {
  readonly stageId: StageId;
  readonly atMs: number;
}

/** Switches count for so long. */
const REMEMBERED_MS = 1_200_000;

/** A rate that was planned for. */
export interface PlannedRate {
  readonly atMs: number;
  readonly arrivalRps: number;
}

/** Where the load moves to and fro, a switch has to hold for what was planned for so long ago: a quiet moment is soon over. */
const QUIET_MS = 60_000;

/** Switches of the last 20 minutes that show it: one to and one fro. */
const TO_AND_FRO = 2;

/** The rates of the last minute with a new one. */
export function withPlanned(
  before: readonly PlannedRate[] | undefined,
  arrivalRps: number,
  atMs: number,
): readonly PlannedRate[] {
  return [...lately(before, atMs), { atMs, arrivalRps }];
}

/** The highest rate (rps) of the last minute; 0 where there is none. */
export function highestPlanned(rates: readonly PlannedRate[] | undefined, nowMs: number): number {
  return Math.max(0, ...lately(rates, nowMs).map(({ arrivalRps }) => arrivalRps));
}

const lately = (rates: readonly PlannedRate[] | undefined, nowMs: number): readonly PlannedRate[] =>
  (rates ?? []).filter(({ atMs }) => atMs > nowMs - QUIET_MS && atMs <= nowMs);

/** The stages whose variant a decision switches. */
export function switchedStages(decision: Decision): readonly StageId[] {
  if (decision.kind !== 'apply') return [];
  return decision.changes.flatMap(({ kind, stageId }) => (kind === 'switch-variant' ? [stageId] : []));
}

/** The switches of the last 20 minutes with those of a decision. */
export function withSwitches(
  before: readonly VariantSwitch[],
  decision: Decision,
  atMs: number,
): readonly VariantSwitch[] {
  return [...recent(before, atMs), ...switchedStages(decision).map((stageId) => ({ stageId, atMs }))];
}

/** Those that count; none from later than now, where the clock was set back. */
function recent(switches: readonly VariantSwitch[], nowMs: number): readonly VariantSwitch[] {
  return switches.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}

/**
 * Whether a stage has to rest before a switch that is but an improvement: for the dwell time, twice as long for each switch of the last
 * 20 minutes. A load that moves to and fro thus soon finds a plan that carries it all the time.
 */
export function rests(
  stageId: StageId,
  switches: readonly VariantSwitch[],
  { nowMs, minDwellMs }: { readonly nowMs: number; readonly minDwellMs: number },
): boolean {
  const own = recent(switches, nowMs).filter((each) => each.stageId === stageId);
  const lastMs = Math.max(Number.NEGATIVE_INFINITY, ...own.map(({ atMs }) => atMs));
  return nowMs - lastMs < minDwellMs * 2 ** own.length;
}

/** Whether a stage was switched so often that its load moves to and fro: a switch for a quiet moment would be undone. */
export function movesToAndFro(stageId: StageId, switches: readonly VariantSwitch[], nowMs: number): boolean {
  return recent(switches, nowMs).filter((each) => each.stageId === stageId).length >= TO_AND_FRO;
}

/** The stages' pins with the variants of a plan. */
export function variantPins(spec: PipelineSpec, { stages }: Plan): Readonly<Record<StageId, StagePins>> {
  return Object.fromEntries(
    spec.stages.map(({ id, pins }) => {
      const [stage] = stages[id] ?? [];
      return [id, stage === undefined ? pins : { ...pins, variantId: stage.variantId }];
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
