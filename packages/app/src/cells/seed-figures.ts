/** Figures of simulations that differ only in the seed: means with 95 % intervals inside the range of the figure. */
import { type FigureRange, type MeanInterval, rangedMeanInterval95 } from '@equipoise/core/model';
import { attainmentInterval95, runsThatComplete } from '@equipoise/core/simulate';
import type { RunFigures } from '../compose/simulated-run.js';

/** Mean with the ends of its 95 % interval, which one simulation does not have. */
export interface Estimate {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

export interface SeedFigures {
  readonly sloAttainmentFraction: Estimate;
  readonly latencyMs: Readonly<Record<(typeof latencyNames)[number], Estimate>>;
  readonly pasMean: Estimate;
  readonly cpuCoresMean: Estimate;
  readonly costPerHourMean: Estimate;
  readonly goodputRps: Estimate;
  readonly droppedFraction: Estimate;
}

const latencyNames = ['mean', 'p50', 'p95', 'p99', 'p999'] as const;
const FRACTION: FigureRange = { low: 0, high: 1 };
const POSITIVE: FigureRange = { low: 0, high: Number.POSITIVE_INFINITY };

/** Requires at least one run. */
export function seedFigures(runs: readonly RunFigures[]): SeedFigures {
  const over = (range: FigureRange, of: (run: RunFigures) => number, among = runs) =>
    estimateOf(rangedMeanInterval95(among.map(of), range));
  const answering = runsThatComplete(runs);
  const latencies = latencyNames.map((name) => [name, over(POSITIVE, ({ latencyMs }) => latencyMs[name], answering)]);
  return {
    sloAttainmentFraction: estimateOf(
      attainmentInterval95(
        runs.map(({ requests, sloAttainmentFraction }) => ({
          arrived: requests,
          withinSlo: Math.round(requests * sloAttainmentFraction),
        })),
      ),
    ),
    latencyMs: Object.fromEntries(latencies),
    pasMean: over(FRACTION, ({ pasMean }) => pasMean, answering),
    cpuCoresMean: over(POSITIVE, ({ cpuCoresMean }) => cpuCoresMean),
    costPerHourMean: over(POSITIVE, ({ costPerHourMean }) => costPerHourMean),
    goodputRps: over(POSITIVE, ({ goodputRps }) => goodputRps),
    droppedFraction: over(FRACTION, droppedFraction),
  };
}

const droppedFraction = ({ requests, completed }: RunFigures): number =>
  requests === 0 ? 0 : (requests - completed) / requests;

/** Without ends if there are none, as those of one simulation. */
export const estimateOf = ({ mean, low, high }: MeanInterval): Estimate =>
  Number.isFinite(low) && Number.isFinite(high) ? { mean, low, high } : { mean };

/** `inconclusive`: the interval of the attainment contains the percentile. One simulation has no interval. */
export type SloVerdict = 'met' | 'missed' | 'inconclusive';

export function sloVerdict({ mean, low = mean, high = mean }: Estimate, percentile: number): SloVerdict {
  if (low >= percentile / 100) return 'met';
  return high < percentile / 100 ? 'missed' : 'inconclusive';
}

/** Estimate with digits after the point, `scale` times; the interval is in parentheses. */
export function estimateText({ mean, low, high }: Estimate, digits: number, scale = 1): string {
  const text = (value: number) => (scale * value).toFixed(digits);
  return low === undefined || high === undefined ? text(mean) : `${text(mean)} (${text(low)}–${text(high)})`;
}
