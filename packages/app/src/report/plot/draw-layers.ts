/** SVG of the layers of a plot except points, inside its frame. */
import { escapeXml } from '../markup/escape-xml.js';
import type { AreaLayer, BarLayer, LineLayer, PlotLayer, PointLayer, RuleLayer, SegmentLayer } from './plot-spec.js';

/** Places of values in the picture. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

/** A tenth of a pixel is enough. */
export const px = (place: number): string => String(Math.round(place * 10) / 10);

export function layerSvg(layer: Exclude<PlotLayer, PointLayer>, frame: Frame): string {
  switch (layer.kind) {
    case 'line':
      return lineSvg(layer, frame);
    case 'area':
      return areaSvg(layer, frame);
    case 'segments':
      return segmentsSvg(layer, frame);
    case 'rule':
      return ruleSvg(layer, frame);
    case 'bars':
      return barsSvg(layer, frame);
  }
}

type Place = readonly [x: number, y: number];

/** Runs of known values. */
function runsOf(xs: readonly number[], values: readonly (number | null)[], { x, y }: Frame): readonly Place[][] {
  const runs: Place[][] = [];
  let run: Place[] | undefined;
  for (const [i, value] of values.entries()) {
    if (value === null || !Number.isFinite(value)) run = undefined;
    else {
      if (run === undefined) {
        run = [];
        runs.push(run);
      }
      run.push([x(xs[i] as number), y(value)]);
    }
  }
  return runs;
}

/** Commands after the first place. Steps omit places at the same height. */
function pathOf(run: readonly Place[], isStep: boolean): string {
  const parts: string[] = [];
  let height = px((run[0] as Place)[1]);
  for (const [i, [x, y]] of run.entries()) {
    if (i === 0) continue;
    const next = px(y);
    if (!isStep) parts.push(`L${px(x)},${next}`);
    else if (next !== height) parts.push(`H${px(x)}V${next}`);
    else if (i === run.length - 1) parts.push(`H${px(x)}`);
    height = next;
  }
  return parts.length === 0 ? 'h0' : parts.join('');
}

function lineSvg({ xs, values, color, isStep = false, isDashed, isFilled }: LineLayer, frame: Frame): string {
  const runs = runsOf(xs, values, frame);
  const start = ([x, y]: Place) => `M${px(x)},${px(y)}`;
  const path = runs.map((run) => `${start(run[0] as Place)}${pathOf(run, isStep)}`).join('');
  if (path === '') return '';
  const filled = runs.map((run) => {
    const [first, last] = [run[0] as Place, run.at(-1) as Place];
    return `${start(first)}${pathOf(run, isStep)}L${px(last[0])},${px(frame.bottom)}H${px(first[0])}Z`;
  });
  const area = isFilled ? `<path class="${color} area" d="${filled.join('')}"/>` : '';
  return `${area}<path class="${color} l${isDashed ? ' dash' : ''}" d="${path}"/>`;
}

/** Places of a line in steps, as those of a straight line. Omits places at the same height. */
function corners(run: readonly Place[]): readonly Place[] {
  return run.flatMap(([x, y], i): readonly Place[] => {
    const height = run[i - 1]?.[1] ?? y;
    if (i > 0 && i < run.length - 1 && height === y) return [];
    return height === y
      ? [[x, y]]
      : [
          [x, height],
          [x, y],
        ];
  });
}

function areaSvg({ xs, low, high, color, isSolid, isStep }: AreaLayer, frame: Frame): string {
  const placesOf = (values: AreaLayer['low']): readonly (readonly Place[])[] => {
    const runs = runsOf(xs, values, frame);
    return isStep ? runs.map(corners) : runs;
  };
  const lows = placesOf(low);
  const path = placesOf(high).map((run, i) => {
    const [first] = run as [Place];
    const back = [...(lows[i] ?? [])].reverse();
    const [end] = back;
    if (end === undefined) return '';
    return `M${px(first[0])},${px(first[1])}${pathOf(run, false)}L${px(end[0])},${px(end[1])}${pathOf(back, false)}Z`;
  });
  return `<path class="${color} ${isSolid ? 'solid' : 'area'}" d="${path.join('')}"/>`;
}

function segmentsSvg({ color, isDashed, segments }: SegmentLayer, { x, y }: Frame): string {
  const path = segments
    .filter((each) => each.every(Number.isFinite))
    .map(([x1, y1, x2, y2]) => `M${px(x(x1))},${px(y(y1))}L${px(x(x2))},${px(y(y2))}`);
  return path.length === 0 ? '' : `<path class="${color} bar${isDashed ? ' dash' : ''}" d="${path.join('')}"/>`;
}

function ruleSvg({ color, at }: RuleLayer, { left, right, top, bottom, x, y }: Frame): string {
  const path = 'x' in at ? `M${px(x(at.x))},${top}V${bottom}` : `M${left},${px(y(at.y))}H${right}`;
  return `<path class="${color} l dash" d="${path}"/>`;
}

function barsSvg({ color, bars }: BarLayer, { x, y, bottom }: Frame): string {
  return bars
    .map(({ from, to, value, tip }) => {
      const [left, top] = [x(from), y(value)];
      const size = `width="${px(Math.max(0.5, x(to) - left - 0.6))}" height="${px(bottom - top)}"`;
      return `<rect class="${color} solid" data-tip="${escapeXml(tip)}" x="${px(left)}" y="${px(top)}" ${size}/>`;
    })
    .join('');
}
