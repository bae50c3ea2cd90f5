/** Report of a sweep: accuracy against cost, and the figures along each axis, with 95 % intervals over the seeds. */

import { type Estimate, estimateText } from '../cells/seed-figures.js';
import { axisKinds, pointText } from '../sweep/sweep-axes.js';
import type { SweepResults, SweptPoint } from '../sweep/sweep-results.js';
import { counted } from '../terminal/counted.js';
import { type Fact, htmlTable } from './page/html.js';
import type { PageSection, ReportPage } from './page/html-page.js';
import { type PlotAxis, type PlotLayer, type PlotSpec, seriesColor } from './plot/plot-spec.js';

type Simulated = SweptPoint & { readonly figures: NonNullable<SweptPoint['figures']> };

const isSimulated = (point: SweptPoint): point is Simulated => point.figures !== undefined;

export function sweepPage(results: SweepResults): ReportPage {
  const { pipeline, load, seeds, excludeFirstS } = results;
  const shown = shownPoints(results);
  const excluded = excludeFirstS === 0 ? '' : `, the first ${excludeFirstS} s not counted`;
  return {
    kind: 'Sweep',
    title: `Sweep of ${pipeline}`,
    lead: `Load ${load}, ${counted(seeds.length, 'seed')}${excluded}. Points are means over the seeds, bars their 95 % intervals. The SLO is met, or missed, if the whole interval of the attainment says so.`,
    facts: factsOf(results),
    sections: [
      {
        title: 'Accuracy and cost',
        ...textOf(tradeOffNotes(results, shown)),
        blocks: [{ plots: [tradeOffPlot(shown.points)] }, bestTable(results)],
      },
      ...axisSections(results),
      pointSection(results, shown),
    ],
  };
}

function factsOf({ points, subjects, seeds }: SweepResults): readonly Fact[] {
  const count = (wanted: SweptPoint['verdict']) => points.filter(({ verdict }) => verdict === wanted).length;
  const open = count('inconclusive');
  return [
    { label: 'Points', value: String(points.length), note: counted(points.length * seeds.length, 'simulation') },
    { label: 'SLO met', value: String(count('met')), status: count('met') > 0 ? 'ok' : 'bad' },
    { label: 'SLO missed', value: String(count('missed')) },
    ...(open === 0
      ? []
      : [{ label: 'Inconclusive', value: String(open), note: 'more seeds decide', status: 'warn' } as const]),
    ...(count('infeasible') === 0 ? [] : [{ label: 'Without a plan', value: String(count('infeasible')) }]),
    { label: 'Plans or policies', value: String(subjects.length) },
  ];
}

const LONGEST_NAME = 80;

/** The end of a long name tells plans of one file apart. */
const fullNameOf = ({ subject, at }: SweptPoint): string =>
  [subject, pointText(at)].filter((part) => part !== '').join(', ');

const shortened = (name: string): string => (name.length > LONGEST_NAME ? `…${name.slice(1 - LONGEST_NAME)}` : name);

const nameOf = (point: SweptPoint): string => shortened(fullNameOf(point));

const tipOf = (point: Simulated): string => {
  const { figures, verdict } = point;
  return [
    nameOf(point),
    `SLO\t${verdict}`,
    `within the SLO\t${estimateText(figures.sloAttainmentFraction, 2, 100)} %`,
    `p99\t${estimateText(figures.latencyMs.p99, 1)} ms`,
    `accuracy\t${estimateText(figures.pasMean, 4)}`,
    `cost per hour\t${estimateText(figures.costPerHourMean, 2)}`,
  ].join('\n');
};

const VERDICTS = [
  ['met', 'verified: the SLO is met', 'ok', 'disc'],
  ['inconclusive', 'simulated, inconclusive', 'warn', 'diamond'],
  ['missed', 'simulated, the SLO is missed', 'bad', 'ring'],
] as const;

/** Frontier of the points that meet the SLO: no other is at most as costly and more accurate. */
function frontierOf(points: readonly Simulated[]): readonly Simulated[] {
  let best = Number.NEGATIVE_INFINITY;
  return points
    .filter(({ verdict }) => verdict === 'met')
    .toSorted(
      ({ figures: a }, { figures: b }) =>
        a.costPerHourMean.mean - b.costPerHourMean.mean || b.pasMean.mean - a.pasMean.mean,
    )
    .filter(({ figures: { pasMean } }) => {
      const isBetter = pasMean.mean > best;
      if (isBetter) best = pasMean.mean;
      return isBetter;
    });
}

/** Points of the figure; with more, dots hide each other and the page is too large. */
const MOST_DOTS = 300;
const MOST_OF_FRONTIER = 150;
/** Rows of the table. */
const MOST_ROWS = 300;
const SAMPLE = 'The frontier, the best points and a sample of the others by cost:';

const textOf = (notes: readonly string[]) => (notes.length === 0 ? {} : { text: notes.join(' ') });

function tradeOffNotes({ points }: SweepResults, shown: ShownPoints): readonly string[] {
  const places = new Set(shown.points.map(({ figures: of }) => `${of.costPerHourMean.mean} ${of.pasMean.mean}`));
  return [
    ...(shown.isSample ? [`${SAMPLE} ${shown.points.length} of ${points.length} points.`] : []),
    ...(places.size < shown.points.length
      ? ['×2, ×3, … is the number of points at one place; point at it to see all.']
      : []),
  ];
}

interface ShownPoints {
  readonly points: readonly Simulated[];
  readonly isSample: boolean;
}

/** Of many points: the frontier, the best ones, and others at equal distances in the order of their costs. */
function shownPoints({ points, best: { cheapest, mostAccurate } }: SweepResults): ShownPoints {
  const simulated = points.filter(isSimulated);
  if (simulated.length <= MOST_DOTS) return { points: simulated, isSample: false };
  const bestOnes = points.filter((_, index) => index === cheapest || index === mostAccurate).filter(isSimulated);
  const kept = new Set([...bestOnes, ...spaced(frontierOf(simulated), MOST_OF_FRONTIER)]);
  const others = simulated
    .filter((point) => !kept.has(point))
    .sort(({ figures: a }, { figures: b }) => a.costPerHourMean.mean - b.costPerHourMean.mean);
  for (const point of spaced(others, MOST_DOTS - kept.size)) kept.add(point);
  return { points: simulated.filter((point) => kept.has(point)), isSample: true };
}

/** At most `most` values (at least 2) at equal distances, with the first and the last. */
function spaced<Value>(values: readonly Value[], most: number): readonly Value[] {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))] as Value);
}

function tradeOffPlot(points: readonly Simulated[]): PlotSpec {
  const frontier = frontierOf(points);
  const marks = VERDICTS.flatMap(([verdict, name, color, shape]): readonly PlotLayer[] => {
    const own = points.filter((point) => point.verdict === verdict);
    const dots = own.map((point) => ({
      ...{ x: point.figures.costPerHourMean.mean, y: point.figures.pasMean.mean, tip: tipOf(point) },
    }));
    return own.length === 0 ? [] : [{ kind: 'points', name, color, shape, points: dots }];
  });
  const steps = frontier.slice(1).flatMap(({ figures: to }, i) => {
    const { figures: from } = frontier[i] as Simulated;
    const [x1, y1, x2, y2] = [from.costPerHourMean.mean, from.pasMean.mean, to.costPerHourMean.mean, to.pasMean.mean];
    return [[x1, y1, x2, y1] as const, [x2, y1, x2, y2] as const];
  });
  return {
    ...{ title: 'Points of the sweep', isWide: true, hasLegend: true },
    x: { label: 'cost per hour', isLoose: true },
    y: { unit: 'accuracy', isLoose: true },
    layers: [{ kind: 'segments', color: 'c3', segments: steps }, ...marks],
  };
}

function bestTable({ best, points }: SweepResults): string {
  const rows = [
    ['cheapest', best.cheapest],
    ['most accurate', best.mostAccurate],
  ].flatMap(([title, index]) => {
    const point = typeof index === 'number' ? points[index] : undefined;
    return point === undefined || !isSimulated(point) ? [] : [[String(title), ...withoutVerdict(rowOf(point))]];
  });
  return rows.length === 0 ? '' : htmlTable('Best points', ['best that meets the SLO', ...withoutVerdict(HEAD)], rows);
}

const HEAD = ['point', 'SLO', 'within the SLO %', 'p99 ms', 'accuracy', 'cores', 'cost per hour', 'dropped %'];

const withoutVerdict = (cells: readonly string[]): readonly string[] => cells.filter((_, column) => column !== 1);

function rowOf(point: SweptPoint): readonly string[] {
  if (!isSimulated(point)) return [nameOf(point), point.verdict, ...new Array(6).fill('–')];
  const { figures: of, verdict } = point;
  return [
    nameOf(point),
    verdict,
    estimateText(of.sloAttainmentFraction, 2, 100),
    estimateText(of.latencyMs.p99, 1),
    estimateText(of.pasMean, 4),
    estimateText(of.cpuCoresMean, 2),
    estimateText(of.costPerHourMean, 2),
    estimateText(of.droppedFraction, 2, 100),
  ];
}

/** A table of all points, or of those that the figure shows. */
function pointSection({ points }: SweepResults, shown: ShownPoints): PageSection {
  const title = shown.isSample ? 'Points' : 'All points';
  const rows = (shown.isSample ? shown.points : points.slice(0, MOST_ROWS)).map(rowOf);
  const which = shown.isSample ? 'The points of the first figure.' : `The first ${rows.length} of ${points.length}.`;
  return {
    title,
    ...(rows.length < points.length && { text: `${which} points.csv has all ${points.length}.` }),
    blocks: [htmlTable(title, HEAD, rows)],
  };
}

/** Series in a plot along an axis; more are not readable. */
const MOST_SERIES = 8;
/** Dots of all figures along axes. */
const MOST_AXIS_DOTS = 700;
const FEWEST_VALUES = 8;
const WIDE_RATIO = 30;

function axisSections({ axes, points }: SweepResults): readonly PageSection[] {
  const long = axes.filter(({ values }) => values.length > 1);
  return long.map(({ name, field, values }) => {
    const kind = axisKinds[name as keyof typeof axisKinds];
    const isLog = values.every((value) => value > 0) && Math.max(...values) / Math.min(...values) > WIDE_RATIO;
    const x: PlotAxis = { label: kind.title, isLoose: true, ...(isLog && { scale: 'log' }) };
    const groups = groupsAlong(points.filter(isSimulated), field);
    const series = Math.min(MOST_SERIES, groups.size);
    const most = Math.max(FEWEST_VALUES, Math.floor(MOST_AXIS_DOTS / (long.length * FIGURES.length * series)));
    const drawn = [...groups]
      .slice(0, MOST_SERIES)
      .map(([group, own]) => [shortened(group), spaced(own, most)] as const);
    const notes = [
      `${kind.meaning[0]?.toUpperCase()}${kind.meaning.slice(1)}.`,
      ...(groups.size > series ? [`The first ${series} of ${groups.size} series.`] : []),
      ...(values.length > most ? [`${most} of ${values.length} values.`] : []),
    ];
    return {
      title: `Along ${kind.title}`,
      text: notes.join(' '),
      blocks: [{ plots: FIGURES.map((figure) => axisPlot(drawn, { field, x, title: kind.title, figure })) }],
    };
  });
}

/** Points that differ only in one axis. */
function groupsAlong(points: readonly Simulated[], field: string): ReadonlyMap<string, readonly Simulated[]> {
  const groups = new Map<string, Simulated[]>();
  for (const point of points) {
    const at = Object.fromEntries(Object.entries(point.at).filter(([name]) => name !== field));
    const name = fullNameOf({ ...point, at });
    groups.set(name, [...(groups.get(name) ?? []), point]);
  }
  return groups;
}

const FIGURES = [
  ['Within the SLO', '%', ({ sloAttainmentFraction }: Simulated['figures']) => sloAttainmentFraction, 100],
  ['p99 latency', 'ms', ({ latencyMs }: Simulated['figures']) => latencyMs.p99, 1],
  ['Accuracy', '', ({ pasMean }: Simulated['figures']) => pasMean, 1],
  ['Cost', 'per hour', ({ costPerHourMean }: Simulated['figures']) => costPerHourMean, 1],
] as const;

interface AlongAxis {
  readonly field: string;
  readonly x: PlotAxis;
  readonly title: string;
  readonly figure: (typeof FIGURES)[number];
}

function axisPlot(
  groups: readonly (readonly [string, readonly Simulated[]])[],
  { field, x, title, figure: [name, unit, of, factor] }: AlongAxis,
): PlotSpec {
  const layers = groups.flatMap(([group, points], i): readonly PlotLayer[] => {
    const color = seriesColor(i);
    const placed = points
      .map((point) => ({
        point,
        at: (point.at as Readonly<Record<string, number>>)[field] ?? 0,
        estimate: of(point.figures) as Estimate,
      }))
      .sort((a, b) => a.at - b.at);
    const bars = placed.flatMap(({ at, estimate: { low, high } }) =>
      low === undefined || high === undefined ? [] : [[at, factor * low, at, factor * high] as const],
    );
    const joins = placed.slice(1).map(({ at, estimate }, k) => {
      const before = placed[k] as (typeof placed)[number];
      return [before.at, factor * before.estimate.mean, at, factor * estimate.mean] as const;
    });
    const dots = placed.map(({ point, at, estimate }) => ({ x: at, y: factor * estimate.mean, tip: tipOf(point) }));
    return [
      { kind: 'segments', color, segments: joins },
      { kind: 'segments', color, segments: bars },
      { kind: 'points', name: group === '' ? name : group, color, shape: 'disc', points: dots },
    ];
  });
  const y: PlotAxis = { isLoose: true, ...(unit !== '' && { unit }), ...(unit === '%' && { most: 100 }) };
  return { title: `${name} by ${title}`, x, y, layers };
}
