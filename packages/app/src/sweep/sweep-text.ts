import pc from 'picocolors';
import { estimateText, type SeedFigures } from '../cells/seed-figures.js';
import { counted } from '../terminal/counted.js';
import { msText } from '../terminal/plan-table.js';
import { textTable } from '../terminal/text-table.js';
import { axisKinds, pointText } from './sweep-axes.js';
import type { SweepResults, SweptPoint } from './sweep-results.js';

const MOST_ROWS = 40;

const figureColumns: readonly (readonly [string, (figures: SeedFigures) => string])[] = [
  ['within SLO %', ({ sloAttainmentFraction }) => estimateText(sloAttainmentFraction, 2, 100)],
  ['p50 ms', ({ latencyMs }) => estimateText(latencyMs.p50, 1)],
  ['p99 ms', ({ latencyMs }) => estimateText(latencyMs.p99, 1)],
  ['accuracy', ({ pasMean }) => estimateText(pasMean, 4)],
  ['cores', ({ cpuCoresMean }) => estimateText(cpuCoresMean, 2)],
  ['cost per hour', ({ costPerHourMean }) => estimateText(costPerHourMean, 2)],
];

const VERDICTS = { met: pc.green, missed: pc.red, inconclusive: pc.yellow, infeasible: pc.red } as const;

export function sweepText(results: SweepResults): string {
  const { points, seeds, axes, subjects } = results;
  const shown = points.slice(0, MOST_ROWS);
  const left = points.length - shown.length;
  const fields = axes.map(({ name }) => axisKinds[name as keyof typeof axisKinds]);
  const withSubject = subjects.length > 1 || axes.length === 0;
  const head = [
    ...(withSubject ? ['plan or policy'] : []),
    ...fields.map(({ title }) => ({ right: title })),
    'SLO',
    ...figureColumns.map(([right]) => ({ right })),
  ];
  const rows = shown.map((point) => [
    ...(withSubject ? [point.subject] : []),
    ...fields.map(({ field }) => point.at[field] ?? ''),
    VERDICTS[point.verdict](point.verdict),
    ...figureColumns.map(([, text]) => (point.figures === undefined ? '–' : text(point.figures).replace(' (', '\n('))),
  ]);
  const reasons = [...new Set(points.flatMap(({ infeasible }) => (infeasible === undefined ? [] : [infeasible])))];
  const intervals =
    seeds.length > 1 ? `means over ${seeds.length} seeds with 95 % intervals` : 'one seed: no intervals';
  return [
    pc.bold(`${results.pipeline}, ${results.load}`),
    textTable(head, rows),
    ...(left > 0 ? [pc.dim(`${counted(left, 'more point')} in points.csv`)] : []),
    ...reasons.map((reason) => pc.yellow(reason)),
    ...bestTexts(results),
    pc.dim(`${intervals}; SLO is met or missed if the interval excludes the percentile`),
  ].join('\n');
}

function bestTexts({ points, best: { cheapest, mostAccurate } }: SweepResults): readonly string[] {
  const text = (title: string, index: number | undefined) => {
    const point = index === undefined ? undefined : points[index];
    return point?.figures === undefined ? [] : [`${title}: ${nameOf(point)}, ${summaryOf(point.figures)}`];
  };
  if (points.length === 1) return [];
  if (cheapest === undefined) return ['No point meets the SLO.'];
  return [...text('cheapest that meets the SLO', cheapest), ...text('most accurate that meets the SLO', mostAccurate)];
}

const nameOf = ({ subject, at }: SweptPoint): string =>
  [subject, pointText(at)].filter((part) => part !== '').join(', ');

const summaryOf = ({ costPerHourMean, pasMean, latencyMs }: SeedFigures): string =>
  `cost ${costPerHourMean.mean.toFixed(2)} per hour, accuracy ${pasMean.mean.toFixed(3)}, p99 ${msText(latencyMs.p99.mean)}`;
