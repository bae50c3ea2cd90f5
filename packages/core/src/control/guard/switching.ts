/**
 * Decides which switches of variants are worthwhile and which must wait (docs/explain/control.md, Guardrails). A switch
 * starts new replicas, and a switch made in a quiet moment is soon undone.
 */
import { CacheByOwner } from '../../kernel/lru-cache.js';
import type { Decision } from '../../model/decision.js';
import type { StageId } from '../../model/ids.js';
import type { Objective, PipelineSpec, StagePins } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import { type PlannedRate, recentRates } from '../planned-load.js';
import type { ControlContext, SwitchRules } from '../rules.js';

/** `necessary`: the SLO required the switch. Otherwise it was an improvement. */
export interface VariantSwitch {
  readonly stageId: StageId;
  readonly atMs: number;
  readonly necessary?: true;
}

export interface SwitchHistory {
  readonly switches: readonly VariantSwitch[];
  readonly plannedRates: readonly PlannedRate[] | undefined;
  readonly nowMs: number;
  readonly minDwellMs: number;
}

const REMEMBERED_MS = 1_200_000;
const REMEMBERED_RULES = 64;
/**
 * Recent rates up to this multiple of the present rate (two buckets) may return by chance; after an undone improvement,
 * all may.
 */
const BY_CHANCE = 1.11;
/** Factor on the rest time of a stage per undone improvement. */
const REST_FACTOR = 4;
const ROUNDING = 1e-9;

/** Pins to the variants of a plan, and to the stages that it omits. Existing pins take precedence. */
export function variantPins(spec: PipelineSpec, stages: Plan['stages']): Readonly<Record<StageId, StagePins>> {
  return Object.fromEntries(
    spec.stages.map(({ id, pins, optional = false }) => {
      const [stage] = stages[id] ?? [];
      if (stage === undefined) return [id, pins];
      if (stage.replicas === 0) return [id, { omitted: true, ...pins }];
      return [id, { variantId: stage.variantId, ...(optional && { omitted: false }), ...pins }];
    }),
  );
}

const pinnedRules = new CacheByOwner<ControlContext>(REMEMBERED_RULES);

/**
 * Rules that only plan with the variants of `running`. Equal input gives the same object, so that plans stay cached.
 */
export function withRunningVariants<Rules extends ControlContext>(rules: Rules, running: Plan): Rules {
  const pins = variantPins(rules.spec, running.stages);
  return pinnedRules.remember(rules, JSON.stringify(pins), () => {
    const stages = rules.spec.stages.map((stage) => ({ ...stage, pins: pins[stage.id] ?? stage.pins }));
    return { ...rules, spec: { ...rules.spec, stages } };
  }) as Rules;
}

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

/**
 * Reason against an improvement at `arrivalRps` that switches variants now; undefined if there is none. After a switch
 * a stage rests for the dwell time, × 4 for each improvement undone in the last 20 minutes.
 */
export function switchObjection(
  stageIds: readonly StageId[],
  { arrivalRps, ...history }: SwitchHistory & { readonly arrivalRps: number },
): string | undefined {
  const { switches, plannedRates, nowMs, minDwellMs } = history;
  let isUnsteady = false;
  for (const stageId of stageIds) {
    const own = recentSwitches(switches, nowMs).filter((each) => each.stageId === stageId);
    const lastMs = Math.max(Number.NEGATIVE_INFINITY, ...own.map(({ atMs }) => atMs));
    const undone = undoneImprovements(own);
    if (nowMs - lastMs < minDwellMs * REST_FACTOR ** undone)
      return `stage ${stageId} switched its variant a moment ago`;
    isUnsteady ||= undone > 0;
  }
  const rates = recentRates(plannedRates, nowMs).flatMap(({ forBurst, arrivalRps: rps }) => (forBurst ? [] : [rps]));
  const mayComeBack = isUnsteady ? rates : rates.filter((rps) => rps <= BY_CHANCE * arrivalRps);
  const neededRps = Math.max(0, ...mayComeBack);
  if (arrivalRps >= neededRps * (1 - ROUNDING)) return undefined;
  return `a minute ago ${neededRps.toFixed(1)} rps were planned for`;
}

/** Number of improvements that a necessary switch has undone. */
function undoneImprovements(switches: readonly VariantSwitch[]): number {
  let [undone, stands] = [0, false];
  for (const { necessary } of switches) {
    if (necessary && stands) undone += 1;
    stands = necessary !== true;
  }
  return undone;
}

export function switchedStages(decision: Decision): readonly StageId[] {
  if (decision.kind !== 'apply') return [];
  return decision.changes.flatMap(({ kind, stageId }) => (kind === 'switch-variant' ? [stageId] : []));
}

export function withSwitches(
  before: readonly VariantSwitch[],
  decision: Decision,
  atMs: number,
): readonly VariantSwitch[] {
  const why = decision.evidence.necessary === true ? ({ necessary: true } as const) : {};
  return [...recentSwitches(before, atMs), ...switchedStages(decision).map((stageId) => ({ stageId, atMs, ...why }))];
}

/** Switches of the last 20 minutes, without those in the future (clock set back). */
export function recentSwitches(switches: readonly VariantSwitch[], nowMs: number): readonly VariantSwitch[] {
  return switches.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}
