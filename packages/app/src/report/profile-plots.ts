/** Plots of a profile. Measured figures are marks, fits are lines. */
import type { VariantProfile } from '@equipoise/runtime';
import type { TopLevelSpec } from 'vega-lite';
import { coresText } from '../terminal/plan-table.js';
import { plotSvg } from './plot.js';

const PANEL = { width: 380, height: 230 } as const;
const INK = '#475467';

const CONFIG = {
  view: { stroke: null },
  axis: { gridColor: '#e6e9ef', domainColor: '#98a2b3', tickColor: '#98a2b3', labelColor: INK, titleColor: INK },
  header: { labelColor: INK, titleColor: INK },
  legend: { labelColor: INK, titleColor: INK, orient: 'bottom', columns: 8 },
  title: { color: INK, anchor: 'start', fontSize: 12, fontWeight: 600 },
} as const satisfies TopLevelSpec['config'];

/** Plotted point, named after its variant. */
interface PlottedPoint {
  readonly name: string;
  readonly cores: string;
  readonly batchSize: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly throughputRps: number;
  readonly idleMs?: number;
}

const plotted = (profiles: readonly VariantProfile[]): readonly PlottedPoint[] =>
  profiles.flatMap(({ variantId, points }) =>
    points.map(({ cpuCores, batchSize, meanMs, p99Ms, throughputRps, idle }) => ({
      name: variantId,
      cores: coresText(cpuCores),
      batchSize,
      meanMs,
      p99Ms,
      throughputRps,
      ...(idle === undefined ? {} : { idleMs: idle.meanMs }),
    })),
  );

/** Fits at every integer batch size, because lines between measured sizes are curves on logarithmic axes. */
const fitted = (profiles: readonly VariantProfile[]) =>
  profiles.flatMap(({ variantId, fits }) =>
    fits.flatMap(({ cpuCores, batchSizes, fittedMs }) =>
      batchSizes.flatMap((high, i) => {
        const low = batchSizes[i - 1] ?? high - 1;
        const lowMs = fittedMs[i - 1] ?? (fittedMs[i] as number);
        return Array.from({ length: high - low }, (_, step) => {
          const batchSize = low + step + 1;
          const fitMs = lowMs + (((fittedMs[i] as number) - lowMs) * (batchSize - low)) / (high - low);
          return { name: variantId, cores: coresText(cpuCores), batchSize, fitMs, fitRps: (1000 * batchSize) / fitMs };
        });
      }),
    ),
  );

const named = (field: string, title: string | null) =>
  ({ field, type: 'nominal', title, sort: null, scale: { scheme: 'tableau10' } }) as const;

export function stagePlot(profiles: readonly VariantProfile[]): Promise<string> {
  const points = plotted(profiles);
  const largest = Math.max(1, ...points.map(({ batchSize }) => batchSize));
  const ticks = [1, 2, 4, 8, 16, 32, 64, 128, 256].filter((size) => size <= largest);
  const batch = {
    field: 'batchSize',
    type: 'quantitative',
    title: 'batch size',
    scale: { type: 'log', base: 2, domain: [1, Math.max(2, largest)], nice: false },
    axis: { values: ticks, grid: false },
  } as const;
  const severalCores = new Set(points.map(({ cores }) => cores)).size > 1;
  const shape = severalCores ? { shape: { field: 'cores', type: 'nominal', title: null } as const } : {};
  const dash = severalCores ? { strokeDash: { field: 'cores', type: 'nominal', title: null } as const } : {};
  const color = named('name', null);
  const log = { type: 'log' } as const;
  const axis = { tickCount: 4 } as const;
  const panel = (title: string, fitField: string, field: string, unit: string): object => ({
    ...PANEL,
    title,
    layer: [
      {
        data: { values: fitted(profiles) },
        mark: { type: 'line', strokeWidth: 1.5, opacity: 0.7 },
        encoding: {
          x: batch,
          y: { field: fitField, type: 'quantitative', title: unit, scale: log, axis },
          color,
          ...dash,
        },
      },
      ...(field === 'meanMs'
        ? [
            {
              data: { values: points },
              mark: { type: 'rule', strokeWidth: 1, opacity: 0.55 },
              encoding: {
                x: batch,
                y: { field: 'meanMs', type: 'quantitative', title: unit, scale: log, axis },
                y2: { field: 'p99Ms' },
                color,
              },
            },
          ]
        : []),
      {
        data: { values: points },
        mark: { type: 'point', filled: true, size: 45, opacity: 1 },
        encoding: { x: batch, y: { field, type: 'quantitative', title: unit, scale: log, axis }, color, ...shape },
      },
    ],
  });
  return plotSvg({
    hconcat: [
      panel('Service time of a batch: mean, and up to the p99', 'fitMs', 'meanMs', 'ms'),
      panel('Throughput of one replica', 'fitRps', 'throughputRps', 'items per second'),
    ],
    spacing: 36,
    config: CONFIG,
  } as TopLevelSpec);
}

/** Slowdown by busy neighbours; undefined if no other core was free. */
export function neighboursPlot(profiles: readonly VariantProfile[]): Promise<string> | undefined {
  const values = profiles.flatMap(({ stageId, variantId, points }) =>
    points.flatMap(({ batchSize, cpuCores, meanMs, idle }) =>
      idle === undefined
        ? []
        : [
            {
              variant: `${stageId}/${variantId}`,
              point: `${coresText(cpuCores)}, batch ${batchSize}`,
              batchSize,
              slower: meanMs / idle.meanMs - 1,
            },
          ],
    ),
  );
  if (values.length === 0) return undefined;
  return dotPlot(values, 'slower', 'time with busy neighbours ÷ time with idle ones − 1');
}

export function residualPlot(profiles: readonly VariantProfile[]): Promise<string> {
  const values = profiles.flatMap(({ stageId, variantId, points, fits }) =>
    fits.flatMap(({ cpuCores, batchSizes, fittedMs }) =>
      batchSizes.map((batchSize, i) => {
        const point = points.find((one) => one.cpuCores === cpuCores && one.batchSize === batchSize);
        const meanMs = point?.meanMs ?? (fittedMs[i] as number);
        return {
          variant: `${stageId}/${variantId}`,
          point: `${coresText(cpuCores)}, batch ${batchSize}`,
          batchSize,
          residual: (fittedMs[i] as number) / meanMs - 1,
        };
      }),
    ),
  );
  return dotPlot(values, 'residual', 'fit ÷ measured mean − 1');
}

function dotPlot(values: readonly object[], field: string, title: string): Promise<string> {
  return plotSvg({
    width: 620,
    height: { step: 22 },
    data: { values: [...values] },
    layer: [
      { mark: { type: 'rule', color: '#98a2b3' }, encoding: { x: { datum: 0 } } },
      {
        mark: { type: 'point', filled: true, size: 50, opacity: 0.85 },
        encoding: {
          x: { field, type: 'quantitative', title, axis: { format: '+.0%' } },
          y: { field: 'variant', type: 'nominal', title: null, sort: null, axis: { grid: true } },
          color: { field: 'batchSize', type: 'ordinal', title: 'batch size', scale: { scheme: 'viridis' } },
        },
      },
    ],
    config: CONFIG,
  } as TopLevelSpec);
}
