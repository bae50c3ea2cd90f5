/** Places of the points of a frontier in a plot of accuracy over cost. */
import type { FrontierAnswer, FrontierPoint } from '../api/answers.js';

export interface Scatter {
  readonly width: number;
  readonly height: number;
  readonly places: readonly { readonly x: number; readonly y: number }[];
  /** Place of the running plan. */
  readonly here: { readonly x: number; readonly y: number } | undefined;
  readonly xTicks: readonly Tick[];
  readonly yTicks: readonly Tick[];
  /** Path of the front: a step between two points, because no plan lies between them. */
  readonly steps: string;
}

interface Tick {
  readonly at: number;
  readonly label: string;
}

const HEIGHT = 320;
const LEAST_WIDTH = 280;
const EDGE = { left: 60, right: 24, top: 24, bottom: 44 } as const;
const TICKS = 5;
const MOST_DECIMALS = 9;

export const isVerified = ({ plan: { verified } }: FrontierPoint): boolean =>
  verified?.conclusive === true && verified.sloAttainmentFraction >= verified.percentile / 100;

/** `room`: width of the place for it. */
export function scatterOf(points: readonly FrontierPoint[], current: FrontierAnswer['current'], room = 640): Scatter {
  const width = Math.max(LEAST_WIDTH, room);
  const all = current === undefined ? points : [...points, current];
  const [costs, accuracies] = [all.map(({ costPerHour }) => costPerHour), all.map(({ pas }) => pas)];
  const x = axisOf(costs, EDGE.left, width - EDGE.right);
  const y = axisOf(accuracies, HEIGHT - EDGE.bottom, EDGE.top);
  const places = points.map(({ costPerHour, pas }) => ({ x: x.at(costPerHour), y: y.at(pas) }));
  const steps = places.map((place, index) => (index === 0 ? `M${place.x},${place.y}` : `H${place.x} V${place.y}`));
  return {
    ...{ width, height: HEIGHT },
    places,
    here: current && { x: x.at(current.costPerHour), y: y.at(current.pas) },
    xTicks: ticksOf(x, 2),
    yTicks: ticksOf(y, 3),
    steps: steps.join(' '),
  };
}

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** With at least `decimals`, and so many more that no two labels are equal. */
function ticksOf({ ticks, at }: Axis, decimals: number): readonly Tick[] {
  const [first = 0, second = first] = ticks;
  const needed = second > first ? Math.min(MOST_DECIMALS, Math.ceil(-Math.log10(second - first))) : 0;
  return ticks.map((value) => ({ at: at(value), label: value.toFixed(Math.max(decimals, needed)) }));
}

function axisOf(values: readonly number[], from: number, to: number): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  // A single value is in the middle.
  const [least, most] = low === high ? [low - 0.05 * Math.max(1, low), high + 0.05 * Math.max(1, high)] : [low, high];
  return {
    ticks: Array.from({ length: TICKS }, (_, index) => least + ((most - least) * index) / (TICKS - 1)),
    at: (value) => from + ((to - from) * (value - least)) / (most - least),
  };
}
