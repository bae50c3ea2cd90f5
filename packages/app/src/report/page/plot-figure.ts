/** Figure of a page: the plot with its buttons, and the data of its tooltips. */

import { escapeXml } from '../markup/escape-xml.js';
import { drawPlot, plotSummary } from '../plot/draw-plot.js';
import { isSeries, type PlotSpec } from '../plot/plot-spec.js';

/** Data for the script of the page. `x`: name of a shared axis. */
export interface PlotData {
  readonly x: string;
  readonly xKind: 'utc' | 'number';
  readonly xName: string;
  readonly xUnit: string;
  readonly series: readonly {
    readonly name: string;
    readonly unit: string;
    readonly values: readonly (number | null)[];
  }[];
}

/** Axes of the plots of a page. Plots with the same array share a cursor. */
export class SharedAxes {
  readonly #names = new Map<readonly number[], string>();

  nameOf(xs: readonly number[]): string {
    const known = this.#names.get(xs);
    if (known !== undefined) return known;
    const name = `x${this.#names.size + 1}`;
    this.#names.set(xs, name);
    return name;
  }

  get values(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries([...this.#names].map(([xs, name]) => [name, xs.map((x) => Number(x.toPrecision(12)))]));
  }
}

/** Tooltips show three digits. */
const rounded = (value: number | null): number | null =>
  value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));

/** Only series with the axis of the first one have a common cursor. */
export function plotData({ x, y, layers }: PlotSpec, axes: SharedAxes): PlotData {
  const series = layers.filter(isSeries);
  const xs = series[0]?.xs;
  const own = series.filter((each) => each.xs === xs);
  const factor = y.isPercent ? 100 : 1;
  return {
    x: xs === undefined ? '' : axes.nameOf(xs),
    xKind: x.scale === 'utc' ? 'utc' : 'number',
    xName: x.label ?? 'time (UTC)',
    xUnit: x.unit ?? '',
    series: own.map(({ name, unit = y.isPercent ? '%' : (y.unit ?? ''), values }) => ({
      name,
      unit,
      values: values.map((value) => rounded(value === null ? null : value * factor)),
    })),
  };
}

export function fileNameOf(title: string): string {
  const name = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  return name === '' ? 'plot' : name;
}

export function plotFigure(plot: PlotSpec, id: string): string {
  const svgs =
    plot.isWide === true
      ? [
          drawPlot(plot, 'page').replace('class="plot-svg"', 'class="plot-svg wide-only"'),
          drawPlot(plot, 'column').replace('class="plot-svg"', 'class="plot-svg narrow-only"'),
        ]
      : [drawPlot(plot, 'column')];
  const title = escapeXml(plot.title);
  const buttons = ['svg', 'png', 'csv'].map(
    (kind) =>
      `<button type="button" data-save="${kind}" aria-label="Save ${title} as ${kind.toUpperCase()}">${kind.toUpperCase()}</button>`,
  );
  return `<figure class="plot${plot.isWide ? ' wide' : ''}" data-plot="${id}" data-file="${fileNameOf(plot.title)}"><div class="plot-box" tabindex="0" role="group" aria-label="${escapeXml(plotSummary(plot))}. Arrow keys show values.">${svgs.join('')}</div><div class="plot-tools">${buttons.join('')}</div></figure>`;
}
