/**
 * When the variant of a stage was switched, and why the next switch has to wait. A load that moves to and fro must not take a stage with it: each
 * switch starts replicas anew, and one for a quiet moment is soon undone. So the oftener a stage was switched lately, the more its next
 * switch has to stand: a longer rest before it, and from one to and fro on what was planned for in the last minute.
 */
import type { Decision } from '../model/decision.js';
import type { StageId } from '../model/ids.js';

/** A switch of a stage's variant. */
export interface VariantSwitch {
  readonly stageId: StageId;
  readonly atMs: number;
}

/** A rate that was planned for. */
export interface PlannedRate {
  readonly atMs: number;
  readonly arrivalRps: number;
}

/** What was switched and planned for, and what of it counts now. */
export interface SwitchHistory {
  readonly switches: readonly VariantSwitch[];
  readonly plannedRates: readonly PlannedRate[] | undefined;
  readonly nowMs: number;
  readonly minDwellMs: number;
}

/** Switches count for so long. */
const REMEMBERED_MS = 1_200_000;
/** A quiet moment is over after this. */
const QUIET_MS = 60_000;
/** Switches that show a load that moves to and fro: one to and one fro. */
const TO_AND_FRO = 2;
const ROUNDING = 1e-9;

/**
 * Why stages may not switch their variants now to what is but an improvement, planned for `arrivalRps`; undefined where they may. A stage rests
 * for the dwell time, twice as long for each switch of the last 20 minutes, so that a load that moves to and fro soon finds a plan that carries
 * it all the time; and where it moved to and fro, the plan has to hold for the highest rate of the last minute.
 */
export function switchObjection(
  stageIds: readonly StageId[],
  { arrivalRps, ...history }: SwitchHistory & { readonly arrivalRps: number },
): string | undefined {
  const { switches, nowMs, minDwellMs } = history;
  let neededRps = 0;
  for (const stageId of stageIds) {
    const own = recentSwitches(switches, nowMs).filter((each) => each.stageId === stageId);
    const lastMs = Math.max(Number.NEGATIVE_INFINITY, ...own.map(({ atMs }) => atMs));
    if (nowMs - lastMs < minDwellMs * 2 ** own.length) return `stage ${stageId} switched its variant a moment ago`;
    if (own.length >= TO_AND_FRO) neededRps = highestPlanned(history.plannedRates, nowMs);
  }
  if (arrivalRps >= neededRps * (1 - ROUNDING)) return undefined;
  return `a minute ago ${neededRps.toFixed(1)} rps were planned for`;
}

/** The rates of the last minute with a new one. */
export function withPlanned(
  before: readonly PlannedRate[] | undefined,
  arrivalRps: number,
  atMs: number,
): readonly PlannedRate[] {
  return [...lately(before, atMs), { atMs, arrivalRps }];
}

function highestPlanned(rates: readonly PlannedRate[] | undefined, nowMs: number): number {
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
  return [...recentSwitches(before, atMs), ...switchedStages(decision).map((stageId) => ({ stageId, atMs }))];
}

/** Those that count; none from later than now, where the clock was set back. */
export function recentSwitches(switches: readonly VariantSwitch[], nowMs: number): readonly VariantSwitch[] {
  return switches.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}
