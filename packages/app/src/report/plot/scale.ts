/** Places and ticks of axes. */
import type { PlotAxis } from './plot-spec.js';

export interface Tick {
  readonly value: number;
  readonly text: string;
}

export interface Scale {
  readonly domain: readonly [number, number];
  readonly isLog: boolean;
  readonly ticks: readonly Tick[];
}

/** Number with the decimals of its step, and thousands apart: `12,500`, `0.25`. */
function tickText(value: number, step: number): string {
  if (Math.abs(value) >= 100_000) return value.toExponential(1).replace('.0', '').replace('e+', 'e');
  const decimals = Math.min(8, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function niceStep(span: number, count: number): number {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((each) => each * power >= raw * 0.999) ?? 10;
  return factor * power;
}

const MOST_TICKS = 20;

function steps(low: number, high: number, step: number): readonly number[] {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, Math.min(MOST_TICKS, last - first + 1)) }, (_, i) => (first + i) * step);
}

const TIME_STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

function utcTicks([low, high]: readonly [number, number], count: number): readonly Tick[] {
  const step = TIME_STEPS_S.find((each) => (high - low) / each <= count) ?? niceStep(high - low, count);
  const [from, to] = step < 60 ? [11, 19] : step < 86_400 ? [11, 16] : [5, 10];
  return steps(low, high, step).map((value) => ({
    value,
    text: new Date(value * 1000).toISOString().slice(from, to),
  }));
}

function logTicks([low, high]: readonly [number, number], count: number): readonly Tick[] {
  const decades = Math.log10(high / low);
  const factors = decades <= count / 3 ? [1, 2, 5] : decades <= count / 2 ? [1, 3] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const ticks: Tick[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += every)
    for (const factor of factors) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low * 0.9999 && value <= high * 1.0001) ticks.push({ value, text: tickText(value, value) });
    }
  return ticks;
}

function percentTicks(domain: readonly [number, number], count: number): readonly Tick[] {
  const step = niceStep(100 * (domain[1] - domain[0]), count);
  return steps(100 * domain[0], 100 * domain[1], step).map((value) => ({
    value: value / 100,
    text: `${tickText(value, step)} %`,
  }));
}

/** `count` is the largest sensible number of ticks. A linear axis ends at ticks, so that no value is at its edge. */
export function scaleOf(axis: PlotAxis, values: Iterable<number>, count: number): Scale {
  const { bands, scale = 'linear' } = axis;
  if (bands !== undefined)
    return {
      domain: [-0.5, Math.max(1, bands.length) - 0.5],
      isLog: false,
      ticks: bands.map((text, value) => ({ value, text })),
    };
  const isLog = scale === 'log';
  const extent = axis.domain ?? extentOf(values, isLog);
  if (isLog) return { domain: extent, isLog, ticks: fixedTicks(axis) ?? logTicks(extent, count) };
  if (scale === 'utc') return { domain: extent, isLog, ticks: utcTicks(extent, count) };
  const domain = axis.domain ?? linearDomain(axis, extent, count);
  const step = niceStep(domain[1] - domain[0], count);
  const plain = () => steps(...domain, step).map((value) => ({ value, text: tickText(value, step) }));
  return { domain, isLog, ticks: fixedTicks(axis) ?? (axis.isPercent ? percentTicks(domain, count) : plain()) };
}

/** Part of an axis behind its `most`, or before 0 if nothing is negative, for marks that lie there. */
const SPACE_BEHIND = 0.08;

/** Ends at ticks, but little beyond `most` if no value is beyond it. */
function linearDomain(
  { isLoose, most = Number.POSITIVE_INFINITY }: PlotAxis,
  extent: readonly [number, number],
  count: number,
): readonly [number, number] {
  const [lowest, high] = rounded(isLoose ? padded(extent) : [Math.min(0, extent[0]), extent[1]], count);
  const low = extent[0] < 0 ? lowest : Math.max(lowest, -SPACE_BEHIND * high);
  if (extent[1] > most || low >= most) return [low, high];
  return [low, Math.min(high, most + SPACE_BEHIND * (most - low))];
}

/** Some space around the outermost marks. */
const padded = ([low, high]: readonly [number, number]): readonly [number, number] => [
  low - 0.03 * (high - low),
  high + 0.03 * (high - low),
];

const fixedTicks = ({ ticks }: PlotAxis): readonly Tick[] | undefined =>
  ticks?.map((value) => ({ value, text: value.toLocaleString('en-US') }));

function rounded([low, high]: readonly [number, number], count: number): readonly [number, number] {
  const step = niceStep(high - low, count);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

/** Figures of reports are between these sizes; others are errors, and would leave no useful ticks. */
const SMALLEST = 1e-9;
const LARGEST = 1e15;

/** Smallest and largest value, never equal; of a logarithmic axis, only positive ones. */
function extentOf(values: Iterable<number>, isLog: boolean): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!(Math.abs(value) <= LARGEST) || (isLog && value < SMALLEST)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return isLog ? [1, 10] : [0, 1];
  if (isLog) return low === high ? [low / 2, high * 2] : [low / 1.1, high * 1.1];
  if (high - low < SMALLEST)
    return Math.abs(low) < SMALLEST ? [0, 1] : [low - 0.1 * Math.abs(low), high + 0.1 * Math.abs(high)];
  return [low, high];
}
