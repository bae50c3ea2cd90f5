/** Window of a report. Nothing recorded in it is an error, because an empty page would not say why. */
import { AppError } from '@equipoise/core/model';
import { counted } from '../../terminal/counted.js';
import type { RunRecord } from './run-record.js';

/** Infinite without a limit on this side. */
export interface RunWindow {
  readonly fromEpochMs: number;
  readonly toEpochMs: number;
}

export const ALL_TIME: RunWindow = { fromEpochMs: Number.NEGATIVE_INFINITY, toEpochMs: Number.POSITIVE_INFINITY };

export interface WindowFlags {
  /** Times in ms since 1970. */
  readonly from?: number;
  readonly to?: number;
  /** Length of the window in ms, up to `to` or now. */
  readonly last?: number;
}

type Recorded = Pick<RunRecord, 'points' | 'decisions'>;

/** Throws AppError WRONG_USAGE if the window ends before it begins. */
export function windowOf({ from, to, last }: WindowFlags, nowEpochMs: number): RunWindow {
  const end = to ?? (last === undefined ? Number.POSITIVE_INFINITY : nowEpochMs);
  const start = from ?? (last === undefined ? Number.NEGATIVE_INFINITY : end - last);
  if (start >= end) throw new AppError('WRONG_USAGE', 'The window ends before it begins: correct --from or --to.');
  return { fromEpochMs: start, toEpochMs: end };
}

export const isWithin = ({ fromEpochMs, toEpochMs }: RunWindow, atEpochMs: number): boolean =>
  atEpochMs > fromEpochMs && atEpochMs <= toEpochMs;

/** The run in the window. Latencies have no times, so they are those of the whole run or unknown. */
export function within(run: RunRecord, window: RunWindow): RunRecord {
  const points = run.points.filter(({ atEpochMs }) => isWithin(window, atEpochMs));
  const decisions = run.decisions.filter(({ atEpochMs }) => isWithin(window, atEpochMs));
  const outcomes = run.outcomes?.filter(({ decidedAtEpochMs }) => isWithin(window, decidedAtEpochMs));
  const latencies = points.length === run.points.length ? run.latencies : [];
  return { ...run, points, decisions, latencies, ...(outcomes && { outcomes }) };
}

export const isEmpty = ({ points, decisions }: Recorded): boolean => points.length === 0 && decisions.length === 0;

/** Error of a window in which nothing was recorded. `place` recorded `whole`, which is not empty. */
export function emptyWindow(
  place: string,
  whole: Recorded,
  { window, flags }: { readonly window: RunWindow; readonly flags: WindowFlags },
): AppError {
  const [first, last] = spanOf(whole);
  const counts = [
    ...(whole.points.length === 0 ? [] : [counted(whole.points.length, 'point')]),
    ...(whole.decisions.length === 0 ? [] : [counted(whole.decisions.length, 'decision')]),
  ];
  const remedy =
    flags.last !== undefined && flags.to === undefined
      ? `--last counts back from now: add --to ${last}, or omit --last.`
      : 'Choose --from and --to within this time, or omit them.';
  const message = `${place} has nothing ${windowText(window)}. It has ${counts.join(' and ')} from ${first} to ${last}. ${remedy}`;
  return new AppError('WRONG_USAGE', message, { details: { firstAt: first, lastAt: last } });
}

function windowText({ fromEpochMs, toEpochMs }: RunWindow): string {
  const [from, to] = [timeText(fromEpochMs), timeText(toEpochMs)];
  if (!Number.isFinite(fromEpochMs)) return `up to ${to}`;
  return Number.isFinite(toEpochMs) ? `between ${from} and ${to}` : `after ${from}`;
}

/** Times of the first and the last entry, in whole seconds around both. */
function spanOf({ points, decisions }: Recorded): readonly [string, string] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { atEpochMs } of [...points, ...decisions]) {
    first = Math.min(first, atEpochMs);
    last = Math.max(last, atEpochMs);
  }
  // A window begins after its first moment.
  return [timeText(Math.ceil(first / 1000 - 1) * 1000), timeText(Math.ceil(last / 1000) * 1000)];
}

const LATEST_EPOCH_MS = 8.64e15;

/** Time as `--from` and `--to` take it. */
const timeText = (epochMs: number): string =>
  Math.abs(epochMs) <= LATEST_EPOCH_MS ? new Date(epochMs).toISOString().replace('.000Z', 'Z') : String(epochMs);
