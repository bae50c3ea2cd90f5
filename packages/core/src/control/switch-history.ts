/**
 * When the variant of a stage was switched, and why the next improvement has to wait. A load that moves to and fro must not take a stage with
 * it: each switch starts replicas anew, and one for a quiet moment is soon undone. So an improvement has to stand what chance may bring
 * back within a minute; and the oftener improvements of a stage were undone lately, the longer it rests before the next, which then has to stand
 * all that was planned for in the last minute.
 */
import type { Decision } from '../model/decision.js';
import type { StageId } from '../model/ids.js';
import { lately, type PlannedRate } from './planned-rates.js';

/** A switch of a stage's variant; `necessary` where the SLO asked for it, else an improvement. */
export interface VariantSwitch {
  readonly stageId: StageId;
  readonly atMs: number;
  readonly necessary?: true;
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
/** A rate that was planned for a moment ago and is at most so many times the present one (two buckets) may come back by chance. */
const BY_CHANCE = 1.11;
/** How much longer a stage rests for each improvement that was undone. */
const REST_FACTOR = 4;
const ROUNDING = 1e-9;

/**
 * Why stages may not switch their variants now to what is but an improvement, planned for `arrivalRps`; undefined where they may. A stage rests
 * for the dwell time after any switch, four times as long for each improvement of the last 20 minutes that was undone, so that a load that
 * moves to and fro soon finds a plan that carries it all the time.
 */
export function switchObjection(
  stageIds: readonly StageId[],
  { arrivalRps, ...history }: SwitchHistory & { readonly arrivalRps: number },
): string | undefined {
  const { switches, plannedRates, nowMs, minDwellMs } = history;
  let movesToAndFro = false;
  for (const stageId of stageIds) {
    const own = recentSwitches(switches, nowMs).filter((each) => each.stageId === stageId);
    const lastMs = Math.max(Number.NEGATIVE_INFINITY, ...own.map(({ atMs }) => atMs));
    const undone = undoneImprovements(own);
    if (nowMs - lastMs < minDwellMs * REST_FACTOR ** undone)
      return `stage ${stageId} switched its variant a moment ago`;
    movesToAndFro ||= undone > 0;
  }
  const rates = lately(plannedRates, nowMs).flatMap(({ forBurst, arrivalRps: rps }) => (forBurst ? [] : [rps]));
  const mayComeBack = movesToAndFro ? rates : rates.filter((rps) => rps <= BY_CHANCE * arrivalRps);
  const neededRps = Math.max(0, ...mayComeBack);
  if (arrivalRps >= neededRps * (1 - ROUNDING)) return undefined;
  return `a minute ago ${neededRps.toFixed(1)} rps were planned for`;
}

/** Improvements that a necessary switch came after. */
function undoneImprovements(switches: readonly VariantSwitch[]): number {
  let [undone, stands] = [0, false];
  for (const { necessary } of switches) {
    if (necessary && stands) undone += 1;
    stands = necessary !== true;
  }
  return undone;
}

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
  const why = decision.evidence.necessary === true ? ({ necessary: true } as const) : {};
  return [...recentSwitches(before, atMs), ...switchedStages(decision).map((stageId) => ({ stageId, atMs, ...why }))];
}

/** Those that count; none from later than now, where the clock was set back. */
export function recentSwitches(switches: readonly VariantSwitch[], nowMs: number): readonly VariantSwitch[] {
  return switches.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS && atMs <= nowMs);
}
