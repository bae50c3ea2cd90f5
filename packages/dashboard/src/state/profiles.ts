/** Profiles of variants as series: one per number of cores, over the batch size. */
import type { ProfileCurve, VariantProfile } from '../api/answers.js';
import { digits } from '../format/figures.js';

export interface ProfileRow {
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly meanMs: number | undefined;
  readonly p99Ms: number | undefined;
  readonly fittedMs: number | undefined;
  /** Measured ÷ fitted − 1. */
  readonly residual: number | undefined;
  /** Half width of the mean's 95 % interval ÷ the mean. */
  readonly uncertainty: number | undefined;
  /** Items per second at this batch size. */
  readonly throughputRps: number | undefined;
}

const curveRows = ({ cpuCores, points }: ProfileCurve): readonly ProfileRow[] =>
  points.map(({ batchSize, meanMs, p99Ms, fittedMs, meanUncertaintyFraction, throughputRps }) => ({
    ...{ cpuCores, batchSize, meanMs, p99Ms, fittedMs, uncertainty: meanUncertaintyFraction },
    residual: meanMs !== undefined && fittedMs !== undefined && fittedMs > 0 ? meanMs / fittedMs - 1 : undefined,
    throughputRps: throughputRps ?? (meanMs === undefined ? undefined : (1000 * batchSize) / meanMs),
  }));

export const profileRows = ({ curves }: VariantProfile): readonly ProfileRow[] => curves.flatMap(curveRows);

export const profileKey = ({ stageId, variantId }: Pick<VariantProfile, 'stageId' | 'variantId'>): string =>
  `${stageId}/${variantId}`;

export interface PlotLine {
  readonly cpuCores: number;
  readonly path: string;
  readonly dots: readonly { readonly x: number; readonly y: number; readonly low: number; readonly high: number }[];
}

export interface ProfilePlot {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly PlotLine[];
  readonly xTicks: readonly { readonly at: number; readonly label: string }[];
  readonly yTicks: readonly { readonly at: number; readonly label: string }[];
}

const HEIGHT = 280;
const LEAST_WIDTH = 280;
const EDGE = { left: 56, right: 16, top: 22, bottom: 42 } as const;

/**
 * `by`: mean time of a batch (ms), or throughput (items per second). Dots are measured, lines are fitted. `room`: width
 * of the place for it.
 */
export function profilePlot({ curves }: VariantProfile, by: 'latency' | 'throughput', room = 560): ProfilePlot {
  const width = Math.max(LEAST_WIDTH, room);
  const rows = curves.map((curve) => ({ cpuCores: curve.cpuCores, rows: curveRows(curve) }));
  const all = rows.flatMap((curve) => curve.rows);
  const measuredOf = ({ meanMs, throughputRps }: ProfileRow) => (by === 'latency' ? meanMs : throughputRps);
  const fitOf = ({ fittedMs, batchSize }: ProfileRow) =>
    fittedMs === undefined ? undefined : by === 'latency' ? fittedMs : (1000 * batchSize) / fittedMs;
  const sizes = [...new Set(all.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
  const spreadOf = (row: ProfileRow) => (row.uncertainty ?? 0) * (measuredOf(row) ?? 0);
  const most = Math.max(1e-9, ...all.flatMap((row) => [(measuredOf(row) ?? 0) + spreadOf(row), fitOf(row) ?? 0]));
  const x = (batch: number) => {
    const [low, high] = [Math.log2(sizes[0] ?? 1), Math.log2(sizes.at(-1) ?? 2)];
    const part = high === low ? 0.5 : (Math.log2(batch) - low) / (high - low);
    return EDGE.left + 12 + part * (width - EDGE.left - EDGE.right - 24);
  };
  const y = (value: number) => HEIGHT - EDGE.bottom - (value / (1.05 * most)) * (HEIGHT - EDGE.bottom - EDGE.top);
  return {
    ...{ width, height: HEIGHT },
    lines: rows.map(({ cpuCores, rows: ofCurve }) => ({
      cpuCores,
      path: ofCurve
        .flatMap((row) => {
          const value = fitOf(row);
          return value === undefined ? [] : [`${x(row.batchSize)},${y(value)}`];
        })
        .map((place, index) => `${index === 0 ? 'M' : 'L'}${place}`)
        .join(' '),
      dots: ofCurve.flatMap((row) => {
        const value = measuredOf(row);
        if (value === undefined) return [];
        const spread = spreadOf(row);
        return [{ x: x(row.batchSize), y: y(value), low: y(value - spread), high: y(value + spread) }];
      }),
    })),
    xTicks: sizes.map((size) => ({ at: x(size), label: `${size}` })),
    yTicks: roundTicks(most).map((value) => ({ at: y(value), label: digits(value) })),
  };
}

/** From 0 to at most `most`, in steps of 1, 2 or 5 times a power of ten. */
function roundTicks(most: number): readonly number[] {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = power * ([1, 2, 5, 10].find((factor) => 5 * factor * power >= most) ?? 10);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step);
}
