/** Plots of a profile. Measured figures are marks, fits are lines. */
import type { MeasuredPoint, VariantProfile } from '@equipoise/runtime';
import { coresText, msText } from '../terminal/plan-table.js';
import { type PlotColor, type PlotLayer, type PlotSpec, type PointLayer, seriesColor } from './plot/plot-spec.js';

const SHAPES = ['disc', 'square', 'diamond', 'triangle', 'ring'] as const satisfies readonly PointLayer['shape'][];

/** Measured points of a variant on a number of cores. */
interface Curve {
  readonly name: string;
  readonly color: PlotColor;
  readonly shape: PointLayer['shape'];
  readonly isDashed: boolean;
  readonly points: readonly MeasuredPoint[];
  readonly fit: VariantProfile['fits'][number] | undefined;
}

function curvesOf(profiles: readonly VariantProfile[]): readonly Curve[] {
  const allCores = [...new Set(profiles.flatMap(({ points }) => points.map(({ cpuCores }) => cpuCores)))];
  return profiles.flatMap(({ variantId, points, fits }, i) =>
    allCores.flatMap((cpuCores, k): readonly Curve[] => {
      const own = points.filter((point) => point.cpuCores === cpuCores);
      if (own.length === 0) return [];
      const name = allCores.length === 1 ? variantId : `${variantId}, ${coresText(cpuCores)}`;
      const shape = SHAPES[k % SHAPES.length] ?? 'disc';
      const fit = fits.find((each) => each.cpuCores === cpuCores);
      return [{ name, color: seriesColor(i), shape, isDashed: k > 0, points: own, fit }];
    }),
  );
}

/** Fits at every integer batch size, because lines between measured sizes are curves on logarithmic axes. */
function fitted({ batchSizes, fittedMs }: VariantProfile['fits'][number]): readonly (readonly [number, number])[] {
  return batchSizes.flatMap((high, i) => {
    const low = batchSizes[i - 1] ?? high - 1;
    const highMs = fittedMs[i] as number;
    const lowMs = fittedMs[i - 1] ?? highMs;
    return Array.from({ length: high - low }, (_, step) => {
      const batchSize = low + step + 1;
      return [batchSize, lowMs + ((highMs - lowMs) * (batchSize - low)) / (high - low)] as const;
    });
  });
}

const TICKS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly ofFit: (batchSize: number, fitMs: number) => number;
  readonly ofPoint: (point: MeasuredPoint) => number;
  /** Draws a line up to the p99. */
  readonly hasTail: boolean;
}

const PANELS: readonly Panel[] = [
  {
    ...{ title: 'service time of a batch', unit: 'ms, up to the p99', hasTail: true },
    ofFit: (_, fitMs) => fitMs,
    ofPoint: ({ meanMs }) => meanMs,
  },
  {
    ...{ title: 'throughput of one replica', unit: 'items per second', hasTail: false },
    ofFit: (batchSize, fitMs) => (1000 * batchSize) / fitMs,
    ofPoint: ({ throughputRps }) => throughputRps,
  },
];

/** Time and throughput by batch size. */
export function stagePlots(profiles: readonly VariantProfile[]): readonly PlotSpec[] {
  const curves = curvesOf(profiles);
  const largest = Math.max(2, ...curves.flatMap(({ points }) => points.map(({ batchSize }) => batchSize)));
  return PANELS.map((panel) => ({
    title: `${profiles[0]?.stageId}: ${panel.title}`,
    x: {
      ...{ label: 'batch size', scale: 'log', domain: [1 / 1.1, largest * 1.1] },
      ticks: TICKS.filter((size) => size <= largest),
    },
    y: { unit: panel.unit, scale: 'log' },
    layers: curves.flatMap((curve) => curveLayers(curve, panel)),
  }));
}

function curveLayers({ name, color, shape, isDashed, points, fit }: Curve, panel: Panel): readonly PlotLayer[] {
  const line = fit === undefined ? [] : fitted(fit);
  const marks = points.map((point) => ({ x: point.batchSize, y: panel.ofPoint(point), tip: pointTip(name, point) }));
  const path = line.map(([x, fitMs]) => [x, panel.ofFit(x, fitMs), x, panel.ofFit(x, fitMs)] as const);
  const steps = path.slice(1).map(([x, y], i) => [path[i]?.[0] ?? x, path[i]?.[1] ?? y, x, y] as const);
  const tails = points.map(({ batchSize, meanMs, p99Ms }) => [batchSize, meanMs, batchSize, p99Ms] as const);
  return [
    { kind: 'segments', color, isDashed, segments: steps },
    ...(panel.hasTail ? [{ kind: 'segments', color, segments: tails } as const] : []),
    { kind: 'points', name, color, shape, points: marks },
  ];
}

function pointTip(
  name: string,
  { batchSize, meanMs, p99Ms, throughputRps, meanUncertaintyFraction }: MeasuredPoint,
): string {
  return [
    `${name}, batch ${batchSize}`,
    `mean\t${msText(meanMs)} ±${(100 * meanUncertaintyFraction).toFixed(1)} %`,
    `p99\t${msText(p99Ms)}`,
    `throughput\t${throughputRps.toFixed(1)} items/s`,
  ].join('\n');
}

/** A fraction of a variant's point, relative to another figure. */
interface Dot {
  readonly variant: string;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly fraction: number;
}

/** Slowdown by busy neighbours; undefined if no other core was free. */
export function neighboursPlot(profiles: readonly VariantProfile[]): PlotSpec | undefined {
  const dots = profiles.flatMap(({ stageId, variantId, points }) =>
    points.flatMap(({ batchSize, cpuCores, meanMs, idle }): readonly Dot[] =>
      idle === undefined
        ? []
        : [{ variant: `${stageId}/${variantId}`, cpuCores, batchSize, fraction: meanMs / idle.meanMs - 1 }],
    ),
  );
  if (dots.length === 0) return undefined;
  return dotPlot('Cost of busy neighbours', 'time with busy neighbours ÷ time with idle ones − 1', dots);
}

export function residualPlot(profiles: readonly VariantProfile[]): PlotSpec {
  const dots = profiles.flatMap(({ stageId, variantId, points, fits }) =>
    fits.flatMap(({ cpuCores, batchSizes, fittedMs }) =>
      batchSizes.map((batchSize, i): Dot => {
        const point = points.find((one) => one.cpuCores === cpuCores && one.batchSize === batchSize);
        const fitMs = fittedMs[i] as number;
        return {
          variant: `${stageId}/${variantId}`,
          cpuCores,
          batchSize,
          fraction: fitMs / (point?.meanMs ?? fitMs) - 1,
        };
      }),
    ),
  );
  return dotPlot('Errors of the fit', 'fit ÷ measured mean − 1', dots);
}

function dotPlot(title: string, label: string, dots: readonly Dot[]): PlotSpec {
  const variants = [...new Set(dots.map(({ variant }) => variant))];
  const sizes = [...new Set(dots.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
  const percent = (fraction: number) => `${fraction < 0 ? '−' : '+'}${Math.abs(100 * fraction).toFixed(1)} %`;
  const layers = sizes.map(
    (size, i): PlotLayer => ({
      ...{ kind: 'points', name: `batch ${size}`, color: seriesColor(i), shape: 'disc' },
      points: dots
        .filter(({ batchSize }) => batchSize === size)
        .map(({ variant, cpuCores, fraction }) => ({
          x: fraction,
          y: variants.indexOf(variant),
          tip: `${variant}\n${coresText(cpuCores)}, batch ${size}\t${percent(fraction)}`,
        })),
    }),
  );
  const zero: PlotLayer = { kind: 'rule', color: 'quiet', at: { x: 0 } };
  return { title, isWide: true, x: { label, isPercent: true }, y: { bands: variants }, layers: [zero, ...layers] };
}
