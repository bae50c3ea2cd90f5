/** Plots as data. `drawPlot` turns them into SVG; figures of a page add tooltips from the same data. */

/** Colors of the style sheet: `c1` to `c8` for series, `quiet` for references, the others by their meaning. */
export type PlotColor = `c${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}` | 'ok' | 'warn' | 'bad' | 'quiet';

const SERIES_COLORS = ['c1', 'c2', 'c4', 'c5', 'c6', 'c7', 'c8', 'c3'] as const satisfies readonly PlotColor[];

/** Color of the nth series; the ninth has that of the first. */
export const seriesColor = (index: number): PlotColor => SERIES_COLORS[index % SERIES_COLORS.length] ?? 'c1';

/**
 * `utc`: seconds since 1970. `bands`: each place 0, 1, … has the name of that index. `isLoose`: the axis need not include
 * 0. `isPercent`: fractions, shown as percentages. `most`: where an axis ends that would go further, such as 100 %.
 */
export interface PlotAxis {
  readonly label?: string;
  readonly unit?: string;
  readonly scale?: 'linear' | 'log' | 'utc';
  readonly bands?: readonly string[];
  readonly domain?: readonly [number, number];
  readonly ticks?: readonly number[];
  readonly most?: number;
  readonly isLoose?: boolean;
  readonly isPercent?: boolean;
}

/** Values at `xs`; null is a gap. Layers with the same array `xs` share a cursor. */
interface Series {
  readonly name: string;
  readonly color: PlotColor;
  readonly xs: readonly number[];
  readonly values: readonly (number | null)[];
  readonly unit?: string;
}

/** `isStep`: each value holds until the next. */
export interface LineLayer extends Series {
  readonly kind: 'line';
  readonly isStep?: boolean;
  readonly isDashed?: boolean;
  readonly isFilled?: boolean;
}

/** Area between `low` and `high`. `values` are those of tooltips. `isSolid`: part of a stack. `isStep` as in a line. */
export interface AreaLayer extends Series {
  readonly kind: 'area';
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
  readonly isSolid?: boolean;
  readonly isStep?: boolean;
}

/** First line of `tip`: title of the tooltip. Other lines: name, tab, value. */
export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  readonly tip?: string;
}

export interface PointLayer {
  readonly kind: 'points';
  /** Absent in the legend without a name. */
  readonly name?: string;
  readonly color: PlotColor;
  readonly shape: 'disc' | 'ring' | 'square' | 'diamond' | 'triangle';
  readonly points: readonly PlotPoint[];
}

/** Lines between two points each, such as intervals. */
export interface SegmentLayer {
  readonly kind: 'segments';
  readonly color: PlotColor;
  readonly isDashed?: boolean;
  readonly segments: readonly (readonly [x1: number, y1: number, x2: number, y2: number])[];
}

export interface RuleLayer {
  readonly kind: 'rule';
  readonly name?: string;
  readonly color: PlotColor;
  readonly at: { readonly x: number } | { readonly y: number };
}

export interface BarLayer {
  readonly kind: 'bars';
  readonly name?: string;
  readonly color: PlotColor;
  readonly bars: readonly {
    readonly from: number;
    readonly to: number;
    readonly value: number;
    readonly tip: string;
  }[];
}

export type PlotLayer = LineLayer | AreaLayer | PointLayer | SegmentLayer | RuleLayer | BarLayer;

/** Marked moment, with a link to what happened. */
export interface PlotMark {
  readonly x: number;
  readonly label: string;
  /** Address within the page. Without one, the mark is a thin line only. */
  readonly href?: string;
}

export interface PlotSpec {
  readonly title: string;
  readonly x: PlotAxis;
  readonly y: PlotAxis;
  readonly layers: readonly PlotLayer[];
  readonly marks?: readonly PlotMark[];
  /** Shows the legend also of a single series, whose shape has a meaning. */
  readonly hasLegend?: boolean;
  /** Takes the whole width of a page, where there is much. */
  readonly isWide?: boolean;
}

export const isSeries = (layer: PlotLayer): layer is LineLayer | AreaLayer =>
  layer.kind === 'line' || layer.kind === 'area';
