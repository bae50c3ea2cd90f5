/**
 * Fits the work of the serving thread to the times for which it was busy between turns. Ridge regression on what
 * happened in the turn before (answers, refusals, batches sent) and in the next one (a request, batches answered).
 * Pauses do not decide how the work divides. The sum is the CPU time of the thread, because a thread that has lost its
 * core looks busy.
 */
import type { StageId, VariantId } from '../model/ids.js';
import type { EstimatedValue, ThreadCost } from '../model/service-correction.js';
import { factorsOf, pausedPerMs, pausesOf, type TimedWork, usualFactorLimit, usualMs } from './pauses.js';
import { spreadFractions, spreadMean, weightedQuantilesAt } from './quantile-spread.js';
import { addRow, emptySums, ridgeFit, segmentsFit } from './ridge-fit.js';

export interface HandledBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly batchSize: number;
}

/** From one turn of the serving thread to the next. */
export interface TurnInterval {
  /** Time without rest. */
  readonly busyMs: number;
  /** CPU time. */
  readonly workedMs: number;
  /** Requests that begin in the next turn. */
  readonly arrivals: number;
  /** Of the turn before. */
  readonly answers: number;
  readonly refusals: number;
  readonly sent: readonly HandledBatch[];
  /** In the next turn. */
  readonly taken: readonly HandledBatch[];
}

export interface VariantThreadCost {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly thread: ThreadCost;
}

const FEWEST_INTERVALS = 200;
/** Standard deviation of the prior (ms). */
const PRIOR_MS = 1;
/** Fits of the work. Each leaves out the pauses that the one before shows. In most recordings it settles by then. */
const FITS = 10;
const REQUEST_PARTS = 4;

/**
 * Nothing without enough intervals. `steady`: segments without overload, whose turns tell spread and pauses. Under
 * overload, the thread often waits for a core that clients take.
 */
export function fitThreadCost(
  segments: readonly (readonly TurnInterval[])[],
  steady: typeof segments = segments,
): readonly VariantThreadCost[] {
  const all = segments.flat();
  if (all.length < FEWEST_INTERVALS) return [];
  const variants = variantsOf(all);
  const columns = new Map(variants.map(({ key }, index) => [key, REQUEST_PARTS + index]));
  const size = REQUEST_PARTS + variants.length;
  const rule = { prior: Array.from({ length: size }, () => PRIOR_MS), atLeastZero: [...Array(size).keys()] };
  const rows = segments.map((intervals) =>
    intervals.map((interval) => ({ counts: rowOf(interval, columns), busyMs: interval.busyMs })),
  );
  const { values, halfWidths } = dividedWork(rows, rule);
  const expectedMs = (interval: TurnInterval) => expectedOf(rowOf(interval, columns), values);
  const expected = rows.flat().map(({ counts }) => expectedOf(counts, values));
  const total = (of: readonly number[]) => of.reduce((sum, each) => sum + each, 0);
  const scale = total(all.map(({ workedMs }) => workedMs)) / Math.max(Number.MIN_VALUE, total(expected));
  const estimated = (index: number): EstimatedValue => ({
    value: scale * (values[index] as number),
    halfWidth: scale * (halfWidths[index] as number),
  });
  const times = timesOf(
    steady.flat().map((interval) => ({ ms: interval.busyMs, expectedMs: scale * expectedMs(interval) })),
  );
  const request = { arrivalMs: estimated(0), answerMs: estimated(1), refusalMs: estimated(2), itemMs: estimated(3) };
  return variants.map(({ stageId, variantId }, index) => ({
    ...{ stageId, variantId },
    thread: { ...request, hopMs: estimated(REQUEST_PARTS + index), ...times },
  }));
}

interface TimedRow {
  readonly counts: readonly number[];
  readonly busyMs: number;
}

type RidgeRule = Parameters<typeof ridgeFit>[1];

const expectedOf = (counts: TimedRow['counts'], values: readonly number[]): number =>
  counts.reduce((sum, count, index) => sum + count * (values[index] as number), 0);

/** Division of the busy times among the parts. The longest turns decide nothing: with much work, long turns are usual. */
function dividedWork(segments: readonly (readonly TimedRow[])[], rule: RidgeRule) {
  const sumsOf = (ms: (row: TimedRow) => number) =>
    segments.map((rows) => {
      const of = emptySums(rule.prior.length);
      for (const row of rows) addRow(of, row.counts, ms(row));
      return of;
    });
  let sums = sumsOf(({ busyMs }) => busyMs);
  for (let fits = 1; fits < FITS; fits++) {
    const { values } = ridgeFit(sums, rule);
    const workOf = ({ counts, busyMs }: TimedRow): TimedWork => ({
      ms: busyMs,
      expectedMs: expectedOf(counts, values),
    });
    const limit = usualFactorLimit(segments.flatMap((rows) => rows.map(workOf)).filter(hasWork));
    sums = sumsOf((row) => {
      const work = workOf(row);
      return hasWork(work) ? usualMs(work, limit) : work.ms;
    });
  }
  // The jackknife leaves out the pauses of the last fit.
  return segmentsFit(sums, rule);
}

/** False between turns in which nothing happened. */
const hasWork = ({ expectedMs }: TimedWork): boolean => expectedMs > 0;

const keyOf = ({ stageId, variantId }: HandledBatch): string => JSON.stringify([stageId, variantId]);

function variantsOf(intervals: readonly TurnInterval[]) {
  const found = new Map<string, { readonly key: string } & Pick<HandledBatch, 'stageId' | 'variantId'>>();
  for (const { sent } of intervals) {
    for (const batch of sent) {
      const key = keyOf(batch);
      if (!found.has(key)) found.set(key, { key, stageId: batch.stageId, variantId: batch.variantId });
    }
  }
  return [...found.values()];
}

function rowOf(interval: TurnInterval, columns: ReadonlyMap<string, number>): number[] {
  const { arrivals, answers, refusals, sent, taken } = interval;
  const row = [arrivals, answers, refusals, 0, ...Array.from(columns, () => 0)];
  for (const batch of [...sent, ...taken]) {
    row[3] = (row[3] as number) + batch.batchSize / 2;
    const column = columns.get(keyOf(batch));
    if (column !== undefined) row[column] = (row[column] as number) + 1 / 2;
  }
  return row;
}

/**
 * Spread and pauses of the intervals in which something happened. With them, the mean factor of the work is 1.
 */
function timesOf(intervals: readonly TimedWork[]): Pick<ThreadCost, 'spread' | 'pauses'> {
  const work = intervals.filter(hasWork);
  if (work.length < FEWEST_INTERVALS / 2) return { spread: spreadFractions.map(() => 1) };
  const limit = usualFactorLimit(work);
  const pauses = pausesOf(work, limit);
  const quantiles = weightedQuantilesAt(spreadFractions, factorsOf(work)).map((factor) => Math.min(limit, factor));
  const mean = spreadMean(quantiles) + pausedPerMs(pauses);
  const scaled = (values: readonly number[]) => values.map((value) => value / mean);
  const spread = scaled(quantiles);
  return pauses === undefined ? { spread } : { spread, pauses: { ...pauses, lengthsMs: scaled(pauses.lengthsMs) } };
}
