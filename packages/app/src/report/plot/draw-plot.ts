/** Draws a plot as SVG: title, legend, axes and layers. Colors are classes of `plot.css`. */
import { escapeXml } from '../markup/escape-xml.js';
import { type Frame, layerSvg } from './draw-layers.js';
import { markSvg, pointsSvg } from './draw-points.js';
import { isSeries, type PlotLayer, type PlotMark, type PlotSpec } from './plot-spec.js';
import { type Scale, scaleOf } from './scale.js';

/** Widths at which text is read at about its own size: a column of a page or a phone, and a whole page. */
const WIDTHS = { column: 380, page: 960 } as const;

export type PlotWidth = keyof typeof WIDTHS;

const HEIGHTS = { column: 138, page: 200 } as const;
const BAND_HEIGHT = 22;
const CHARACTER = 6.2;
const LEGEND_LINE = 16;
const TITLE_HEIGHT = 20;
const LONGEST_BAND = 24;

/** Width of small text; fonts differ, so it is an upper estimate. */
const textWidth = (text: string): number => text.length * CHARACTER;

function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, Math.max(1, most - 1)).join('')}…` : text;
}

export function drawPlot(plot: PlotSpec, size: PlotWidth): string {
  const width = WIDTHS[size];
  const legend = legendSvg(plot, width);
  const top = TITLE_HEIGHT + legend.height + 8 + (plot.marks?.some(({ href }) => href) ? 8 : 0);
  const { bands } = plot.y;
  const inner = bands === undefined ? HEIGHTS[size] : Math.max(2, bands.length) * BAND_HEIGHT;
  const bottom = top + inner;
  const height = Math.ceil(bottom + 18 + (plot.x.label === undefined ? 0 : 15));
  const { x, y, frame } = frameOf(plot, { width, top, bottom });
  const { left, right } = frame;
  const data = [x.domain[0], left, x.domain[1], right, top, bottom, x.isLog ? 1 : 0].map((each) =>
    Number(each.toPrecision(13)),
  );
  const access = plot.marks?.some(({ href }) => href) ? 'role="group"' : 'aria-hidden="true"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot-svg" viewBox="0 0 ${width} ${height}" ${access} data-scale="${data.join(' ')}">`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    titleSvg(plot, width),
    legend.svg,
    axesSvg(plot, { x, y, frame, width }),
    ...(plot.marks ?? []).map((mark) => lineOf(mark, frame)),
    ...plot.layers.filter((layer) => layer.kind !== 'points').map((layer) => layerSvg(layer, frame)),
    pointsSvg(
      plot.layers.filter((layer) => layer.kind === 'points'),
      frame,
    ),
    ...(plot.marks ?? []).map((mark) => flagOf(mark, frame)),
    '</svg>',
  ].join('');
}

interface Box {
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
}

function frameOf({ x: xAxis, y: yAxis, layers }: PlotSpec, { width, top, bottom }: Box) {
  const y = scaleOf(yAxis, valuesOf(layers, 'y'), Math.max(2, Math.floor((bottom - top) / 34)));
  const labels = y.ticks.map(({ text }) => textWidth(yAxis.bands ? shortened(text, LONGEST_BAND) : text));
  const left = Math.ceil(Math.max(20, ...labels)) + 8;
  const right = width - 12;
  const x = scaleOf(xAxis, valuesOf(layers, 'x'), Math.max(2, Math.floor((right - left) / 62)));
  const frame: Frame = {
    ...{ left, right, top, bottom },
    x: placer(x, left, right),
    y: placer(y, ...(yAxis.bands ? ([top, bottom] as const) : ([bottom, top] as const))),
  };
  return { x, y, frame };
}

function placer({ domain: [low, high], isLog }: Scale, from: number, to: number): (value: number) => number {
  const map = isLog ? Math.log : (value: number) => value;
  const [first, span] = [map(low), map(high) - map(low)];
  return (value) => from + ((map(value) - first) / span) * (to - from);
}

/** Known values of an axis. */
function* valuesOf(layers: readonly PlotLayer[], axis: 'x' | 'y'): Generator<number> {
  for (const layer of layers) {
    for (const value of axis === 'x' ? xsOf(layer) : ysOf(layer)) if (value !== null) yield value;
  }
}

function xsOf(layer: PlotLayer): readonly number[] {
  switch (layer.kind) {
    case 'line':
    case 'area':
      return layer.xs;
    case 'points':
      return layer.points.map(({ x }) => x);
    case 'segments':
      return layer.segments.flatMap(([x1, , x2]) => [x1, x2]);
    case 'rule':
      return 'x' in layer.at ? [layer.at.x] : [];
    case 'bars':
      return layer.bars.flatMap(({ from, to }) => [from, to]);
  }
}

function ysOf(layer: PlotLayer): readonly (number | null)[] {
  switch (layer.kind) {
    case 'line':
      return layer.values;
    case 'area':
      return [...layer.low, ...layer.high];
    case 'points':
      return layer.points.map(({ y }) => y);
    case 'segments':
      return layer.segments.flatMap(([, y1, , y2]) => [y1, y2]);
    case 'rule':
      return 'y' in layer.at ? [layer.at.y] : [];
    case 'bars':
      return [0, ...layer.bars.map(({ value }) => value)];
  }
}

function titleSvg({ title, y, y: { label, unit } }: PlotSpec, width: number): string {
  const after = [y.bands === undefined ? label : undefined, unit].filter((part) => part !== undefined).join(', ');
  const most = Math.floor((width - 8) / 7);
  const shown = shortened(title, most);
  const room = most - shown.length - 2;
  const more =
    after === '' || room < 4
      ? ''
      : ` <tspan font-weight="400" font-size="11">${escapeXml(shortened(after, room))}</tspan>`;
  return `<text class="title" x="2" y="14">${escapeXml(shown)}${more}</text>`;
}

function legendSvg(
  { layers, hasLegend = false }: PlotSpec,
  width: number,
): { readonly svg: string; readonly height: number } {
  const named = layers.flatMap((layer) =>
    'name' in layer && layer.name !== undefined && !isEmpty(layer) ? [{ layer, name: layer.name }] : [],
  );
  const entries = named.filter(
    ({ name, layer }, i) => named.findIndex((other) => other.name === name && other.layer.color === layer.color) === i,
  );
  if (entries.length < (hasLegend ? 1 : 2)) return { svg: '', height: 0 };
  let [x, line] = [2, 0];
  const parts = entries.map(({ layer, name }) => {
    const shown = shortened(name, Math.floor((width - 40) / CHARACTER));
    const wide = 20 + textWidth(shown) + 10;
    if (x > 2 && x + wide > width) [x, line] = [2, line + 1];
    const y = TITLE_HEIGHT + LEGEND_LINE * (line + 0.5) + 3;
    const part = `${swatchSvg(layer, x, y - 4)}<text x="${x + 20}" y="${y}">${escapeXml(shown)}</text>`;
    x = Math.round(x + wide);
    return part;
  });
  return { svg: parts.join(''), height: LEGEND_LINE * (line + 1) };
}

const isEmpty = (layer: PlotLayer): boolean => layer.kind === 'points' && layer.points.length === 0;

function swatchSvg(layer: PlotLayer, x: number, y: number): string {
  const { color } = layer;
  if (layer.kind === 'points') return markSvg({ x: x + 8, y, color, shape: layer.shape });
  if (layer.kind === 'area' || layer.kind === 'bars') {
    const isSolid = layer.kind === 'bars' || layer.isSolid;
    return `<rect class="${color} ${isSolid ? 'solid' : 'area'}" x="${x + 2}" y="${y - 5}" width="12" height="10"/>`;
  }
  const isDashed = layer.kind === 'rule' || (layer.kind === 'line' && layer.isDashed);
  return `<path class="${color} l${isDashed ? ' dash' : ''}" d="M${x},${y}h15"/>`;
}

interface Axes {
  readonly x: Scale;
  readonly y: Scale;
  readonly frame: Frame;
  readonly width: number;
}

function axesSvg({ x: xAxis }: PlotSpec, { x, y, frame, width }: Axes): string {
  const { left, right, bottom } = frame;
  const lines = y.ticks.map(({ value }) => `M${left},${Math.round(frame.y(value)) + 0.5}H${right}`).join('');
  const yTexts = y.ticks.map(
    ({ value, text }) =>
      `<text x="${left - 6}" y="${(frame.y(value) + 3.5).toFixed(1)}" text-anchor="end">${escapeXml(shortened(text, LONGEST_BAND))}</text>`,
  );
  const xTexts = x.ticks.map(({ value, text }) => {
    const half = textWidth(text) / 2;
    const place = Math.min(width - half, Math.max(half, frame.x(value)));
    return `<text x="${place.toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${escapeXml(text)}</text>`;
  });
  const label = [xAxis.label, xAxis.unit].filter((part) => part !== undefined).join(', ');
  const xLabel =
    xAxis.label === undefined
      ? ''
      : `<text x="${(left + right) / 2}" y="${bottom + 29}" text-anchor="middle">${escapeXml(label)}</text>`;
  return `<path class="grid" d="${lines}"/><path class="axis" d="M${left},${bottom}H${right}"/>${yTexts.join('')}${xTexts.join('')}${xLabel}`;
}

const isInside = (x: number, { left, right }: Frame): boolean => x >= left - 1 && x <= right + 1;

function lineOf({ x }: PlotMark, frame: Frame): string {
  const place = frame.x(x);
  return isInside(place, frame) ? `<path class="mark" d="M${place.toFixed(1)},${frame.top}V${frame.bottom}"/>` : '';
}

function flagOf({ x, label, href }: PlotMark, frame: Frame): string {
  const place = frame.x(x);
  if (href === undefined || !isInside(place, frame)) return '';
  const [left, top] = [place.toFixed(1), frame.top - 1];
  const text = escapeXml(label);
  return `<a href="${escapeXml(href)}" aria-label="${text}" data-tip="${text}"><rect x="${(place - 7).toFixed(1)}" y="${top - 14}" width="14" height="16" fill="transparent"/><path class="flag" d="M${left},${top}l-5,-9h10z"/></a>`;
}

/** Sentence about a plot for screen readers: each series with its range. */
export function plotSummary({ title, y: { label, unit }, layers }: PlotSpec): string {
  const digits = (value: number) => String(Number(value.toPrecision(3)));
  const ranges = layers.filter(isSeries).flatMap(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return [];
    const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ] as readonly [number, number]);
    return [`${name} ${digits(low)} to ${digits(high)}`];
  });
  const head = [title, label, unit].filter((part) => part !== undefined).join(', ');
  return ranges.length === 0 ? head : `${head}: ${ranges.join('; ')}`;
}
