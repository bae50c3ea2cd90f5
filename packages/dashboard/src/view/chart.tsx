/** A time series: uPlot in the colors of the page, redrawn when the data, the width or the theme change. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Columns } from '../state/series.js';
import { shownTheme } from '../state/theme.js';
import { FrameQueue } from './frame-queue.js';

export interface ChartSeries {
  readonly label: string;
  /** Name of a color of the style sheet. */
  readonly color: string;
  readonly isDashed?: boolean;
  readonly isFilled?: boolean;
  readonly width?: number;
}

export interface ChartProps {
  readonly title: string;
  readonly unit: string;
  readonly columns: Columns;
  readonly series: readonly ChartSeries[];
  /** Two series (1 is the first) with a shaded area between them. */
  readonly band?: readonly [number, number];
  readonly format: (value: number) => string;
  /** Marked moment, in seconds. */
  readonly at?: number | undefined;
  readonly most?: number | undefined;
  readonly least?: number | undefined;
}

const HEIGHT_PX = 168;
const SYNC = uPlot.sync('time');
const frames = new FrameQueue((run) => requestAnimationFrame(run));

const colorOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const faded = (color: string, alpha: string): string => `${color}${alpha}`;

function optionsOf({ series, band, format, most, least = 0 }: ChartProps, width: number): uPlot.Options {
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
    scales: { x: { time: true }, y: { range: (_, low, high) => rangeOf(low, high, { least, most }) } },
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
        points: { show: false },
        spanGaps: false,
      })),
    ],
    ...(band && { bands: [{ series: [band[1], band[0]], fill: faded(colorOf('c2'), '22') }] }),
  };
}

interface Limits {
  readonly least: number;
  readonly most: number | undefined;
}

function rangeOf(low: number | null, high: number | null, { least, most }: Limits): [number, number] {
  const top = Math.max(high ?? 0, most ?? 0, least + 1e-6);
  return [Math.min(low ?? least, least), top + 0.08 * (top - least)];
}

const timeText = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString('en-GB', { hour12: false });

export function Chart(props: ChartProps) {
  const { title, unit, columns, series, format, at } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const drawn = useRef<Columns | undefined>(undefined);
  const values = useRef<HTMLSpanElement>(null);
  const theme = shownTheme.value;
  const shape = series.map(({ label }) => label).join();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const width = Math.max(120, element.clientWidth);
    const made = new uPlot(optionsOf(props, width), columns as unknown as uPlot.AlignedData, element);
    plot.current = made;
    drawn.current = columns;
    const watch = new ResizeObserver(([entry]) => {
      const wide = Math.floor(entry?.contentRect.width ?? 0);
      if (wide > 0 && wide !== made.width) made.setSize({ width: wide, height: HEIGHT_PX });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [theme, shape]);
  useEffect(() => {
    if (drawn.current === columns) return;
    drawn.current = columns;
    // The plot may be a new one by then.
    frames.put(plot, () => plot.current?.setData(drawn.current as unknown as uPlot.AlignedData));
  }, [columns]);
  const lastOf = (index: number): string => {
    const column = columns[index + 1] ?? [];
    const times = columns[0];
    const from =
      at === undefined
        ? column.length - 1
        : Math.max(
            0,
            times.findLastIndex((time) => time <= at),
          );
    for (let i = from; i >= Math.max(0, from - 30); i--) {
      const value = column[i];
      if (typeof value === 'number') return format(value);
    }
    return '–';
  };
  return (
    <figure class="chart">
      <figcaption>
        <h3>
          {title} <span class="unit">{unit}</span>
        </h3>
        <span class="keys" ref={values}>
          {series.map(({ label, color, isDashed }, index) => (
            <span key={label} class="key">
              <span class={`swatch swatch-${color}${isDashed ? ' is-dashed' : ''}`} aria-hidden="true" />
              {label} <b>{lastOf(index)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`${title} in ${unit}. ${series.map(({ label }, i) => `${label} ${lastOf(i)}`).join(', ')}.`}
      />
    </figure>
  );
}
