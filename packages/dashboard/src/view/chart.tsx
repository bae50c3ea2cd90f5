/** A time series: uPlot in the colors of the page, redrawn when the data, the width or the theme change. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { HistoryPoint } from '../api/answers.js';
import { clockText } from '../format/figures.js';
import { columnsOf, type ValueOf, valueAt } from '../state/series.js';
import { shownTheme } from '../state/theme.js';
import { FrameQueue } from './frame-queue.js';

export interface ChartSeries {
  readonly label: string;
  readonly of: ValueOf;
  /** Name of a color of the style sheet. */
  readonly color: string;
  readonly isDashed?: boolean;
  readonly isFilled?: boolean;
  readonly width?: number;
}

export interface ChartProps {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly HistoryPoint[];
  /** The same array as long as its values are the same. */
  readonly series: readonly ChartSeries[];
  /** Two series (1 is the first) with a shaded area between them. */
  readonly band?: readonly [number, number];
  readonly format: (value: number) => string;
  /** Moment that is replayed. */
  readonly atEpochMs?: number | undefined;
  /** The scale goes at least this far up, and at most this far below zero. */
  readonly most?: number | undefined;
  readonly least?: number;
}

const HEIGHT_PX = 168;
const LEAST_WIDTH_PX = 120;
/** Charts this close to the visible part of the page are drawn, too. */
const MARGIN_PX = 100;
const SYNC = uPlot.sync('time');
const frames = new FrameQueue((run) => requestAnimationFrame(run));
/** Moment under the pointer, in all charts. */
const pointedAtEpochMs = signal<number | undefined>(undefined);

const colorOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const faded = (color: string, alpha: string): string => `${color}${alpha}`;

/** `latest`: properties of the newest rendering. */
function optionsOf(latest: { readonly current: ChartProps }, width: number): uPlot.Options {
  const { series, band, format } = latest.current;
  const axis = {
    stroke: colorOf('muted'),
    grid: { stroke: colorOf('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { sync: { key: SYNC.key }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => rangeOf(low, high, latest.current) } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, times) => times.map(timeText), space: 80, size: 26 },
      { ...axis, values: (_, values) => values.map(format), size: 52, space: 36 },
    ],
    series: [
      {},
      ...series.map(({ label, color, isDashed, isFilled, width: lineWidth = 1.5 }) => ({
        label,
        stroke: colorOf(color),
        width: lineWidth,
        ...(isDashed && { dash: [5, 4] }),
        ...(isFilled && { fill: faded(colorOf(color), '22') }),
        points: { show: true, size: 4, fill: colorOf(color), width: 0, filter: loneValues },
        spanGaps: false,
      })),
    ],
    ...(band && { bands: [{ series: [band[1], band[0]], fill: faded(colorOf('c2'), '22') }] }),
  };
}

/** Indices of the values between two gaps, which have no line. */
function loneValues({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  return Array.from(values, (value, at) =>
    isGap(value) || !isGap(values[at - 1]) || !isGap(values[at + 1]) ? -1 : at,
  ).filter((at) => at >= 0);
}

const isGap = (value: number | null | undefined): boolean => value === null || value === undefined;

/** Charts share their cursor: the one under the pointer says which moment it is at. */
function point({ cursor: { idx }, over, data: [times] }: uPlot): void {
  if (over.matches(':hover') && typeof idx === 'number') pointedAtEpochMs.value = 1000 * (times?.[idx] ?? 0);
  else if (document.querySelector('.u-over:hover') === null) pointedAtEpochMs.value = undefined;
}

function rangeOf(
  low: number | null,
  high: number | null,
  { most = 0, least = 0 }: Pick<ChartProps, 'most' | 'least'>,
): [number, number] {
  const top = Math.max(high ?? 0, most, 1e-6);
  return [Math.max(Math.min(low ?? 0, 0), least), 1.08 * top];
}

const timeText = (seconds: number): string => clockText(1000 * seconds);

/** A drawn chart in an element, with a mark at the replayed moment. */
function drawnIn(element: HTMLElement, latest: { readonly current: ChartProps }) {
  let width = Math.max(LEAST_WIDTH_PX, element.clientWidth);
  let plot: uPlot | undefined;
  const mark = document.createElement('div');
  mark.className = 'moment';
  const placeMark = (): void => {
    const { atEpochMs } = latest.current;
    const left = plot === undefined || atEpochMs === undefined ? -1 : plot.valToPos(atEpochMs / 1000, 'x');
    mark.hidden = !(left >= 0 && left <= (plot?.over.clientWidth ?? 0));
    if (!mark.hidden) mark.style.left = `${left}px`;
  };
  const draw = (): void => {
    const { points, series } = latest.current;
    const columns = columnsOf(
      points,
      series.map(({ of }) => of),
      width,
    ) as unknown as uPlot.AlignedData;
    if (plot === undefined) {
      const hooks = { setCursor: [point], draw: [placeMark] };
      plot = new uPlot({ ...optionsOf(latest, width), hooks }, columns, element);
      plot.over.append(mark);
      // The first drawing is made also out of sight, so that a printed page has all charts.
      sight.observe(element);
    } else {
      if (plot.width !== width) plot.setSize({ width, height: HEIGHT_PX });
      plot.setData(columns);
    }
  };
  const redraw = (): void => frames.put(element, draw);
  const sight = new IntersectionObserver((entries) => frames.show(element, entries.at(-1)?.isIntersecting ?? true), {
    rootMargin: `${MARGIN_PX}px 0px`,
  });
  const size = new ResizeObserver(([entry]) => {
    const wide = Math.floor(entry?.contentRect.width ?? 0);
    if (wide === 0 || wide === width) return;
    width = Math.max(LEAST_WIDTH_PX, wide);
    redraw();
  });
  size.observe(element);
  const end = (): void => {
    sight.disconnect();
    size.disconnect();
    frames.forget(element);
    plot?.destroy();
  };
  return { redraw, placeMark, end };
}

export function Chart(props: ChartProps) {
  const { title, unit, points, series, format, atEpochMs } = props;
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const drawn = useRef<ReturnType<typeof drawnIn> | undefined>(undefined);
  const theme = shownTheme.value;
  const shape = series.map(({ label }) => label).join();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const made = drawnIn(element, latest);
    drawn.current = made;
    return () => {
      made.end();
      drawn.current = undefined;
    };
  }, [theme, shape]);
  useEffect(() => drawn.current?.redraw(), [points, series, theme, shape]);
  useEffect(() => drawn.current?.placeMark(), [atEpochMs]);
  const shownAtEpochMs = pointedAtEpochMs.value ?? atEpochMs;
  const values = series.map(({ of }) => {
    const value = valueAt(points, of, shownAtEpochMs);
    return value === undefined ? '–' : format(value);
  });
  return (
    <figure class="chart">
      <figcaption>
        <h3>
          {title} <span class="unit">{unit}</span>
        </h3>
        <span class="keys">
          {series.map(({ label, color, isDashed }, index) => (
            <span key={label} class="key">
              <span class={`swatch swatch-${color}${isDashed ? ' is-dashed' : ''}`} aria-hidden="true" />
              {label} <b>{values[index]}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`${title} in ${unit}. ${series.map(({ label }, index) => `${label} ${values[index]}`).join(', ')}.`}
      />
    </figure>
  );
}
