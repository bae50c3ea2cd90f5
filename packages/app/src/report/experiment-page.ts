/** Report of an experiment: results of each policy on each load, with 95 % intervals over seeds, and paired differences. */
import type { Slo } from '@equipoise/core/model';
import { type CellGroup, cellGroups, type FigureName } from '../experiment/cell-groups.js';
import { cellText } from '../experiment/experiment-cell.js';
import type { ExperimentResults } from '../experiment/experiment-results.js';
import { groupTables, placeOf } from '../experiment/experiment-tables.js';
import { groupedBy } from '../experiment/grouped-by.js';
import { PLATFORM_LEGEND, platformTables } from '../experiment/platform-tables.js';
import type { ReadGrid } from '../experiment/read-grid.js';
import { counted } from '../terminal/counted.js';
import { type Fact, htmlParagraph, htmlTable } from './page/html.js';
import type { PageBlock, PageSection, ReportPage } from './page/html-page.js';
import { type PlotAxis, type PlotLayer, type PlotSpec, seriesColor } from './plot/plot-spec.js';

interface Place {
  readonly title: string;
  readonly groups: readonly CellGroup[];
  readonly policies: readonly string[];
  readonly slo: Slo | undefined;
}

export function experimentPage(read: ReadGrid, results: ExperimentResults): ReportPage {
  const { pipelines, policies, platforms } = read;
  const [reference = ''] = policies;
  const groups = cellGroups(results.cells, reference);
  const places = [...groupedBy(groups, placeOf).values()];
  const sections = places.map((own): PageSection => {
    const { pipeline = '' } = own[0] ?? {};
    const slo = pipelines[pipeline]?.spec.slo;
    const place = { title: own[0] === undefined ? '' : placeOf(own[0]), groups: own, policies, slo };
    return { title: place.title, blocks: placeBlocks(place, reference) };
  });
  return {
    kind: 'Experiment',
    title: `Experiment: ${read.grid.name}`,
    lead: conditions(read),
    facts: experimentFacts(read, results),
    sections: [...infeasibleSection(results), ...platformSections(results, platforms), ...sections],
  };
}

function conditions({ grid: { forecaster, excludeFirstS, loadMs } }: ReadGrid): string {
  const load = loadMs === undefined ? '' : `, every variant ready after ${loadMs} ms`;
  const excluded = excludeFirstS === 0 ? '' : `, the first ${excludeFirstS} s not counted`;
  return `Forecaster ${forecaster}${load}${excluded}. Points and numbers are means over the seeds. Bars, and values in parentheses or after ±, are their 95 % intervals (of the attainment Wilson's, of other figures Student's on a scale that keeps their bounds).`;
}

function experimentFacts(
  { grid, policies, platforms }: ReadGrid,
  { cells, infeasible = [] }: ExperimentResults,
): readonly Fact[] {
  const without: Fact = { label: 'Without a first plan', value: String(infeasible.length), status: 'warn' };
  return [
    {
      label: platforms.includes('simulator') && platforms.length === 1 ? 'Simulations' : 'Runs',
      value: String(cells.length),
      note: counted(grid.seeds.length, 'seed'),
    },
    { label: 'Policies', value: String(policies.length), note: `compared with ${policies[0]}` },
    { label: 'Loads', value: String(new Set(cells.map(({ load }) => load)).size) },
    ...(infeasible.length === 0 ? [] : [without]),
  ];
}

function platformSections(
  { cells }: ExperimentResults,
  [reference = 'simulator', ...others]: ReadGrid['platforms'],
): readonly PageSection[] {
  if (others.length === 0) return [];
  const tables = platformTables(cells, reference).map(({ title, head, rows }) => htmlTable(title, head, rows));
  return [{ title: `Compared with the ${reference}`, blocks: [htmlParagraph(PLATFORM_LEGEND), ...tables] }];
}

function infeasibleSection({ infeasible = [] }: ExperimentResults): readonly PageSection[] {
  if (infeasible.length === 0) return [];
  const title = 'Without a first plan';
  const rows = infeasible.map((cell) => [cellText(cell), cell.message]);
  return [{ title, blocks: [htmlTable(title, ['simulation', 'why'], rows)] }];
}

function placeBlocks(place: Place, reference: string): readonly PageBlock[] {
  const tables = groupTables(place.groups, reference).map(({ title, head, rows }) => htmlTable(title, head, rows));
  const [figures = '', differences] = tables;
  const compared =
    differences === undefined
      ? []
      : [htmlParagraph(`Difference from ${reference}, seed by seed; * if the interval excludes 0:`), differences];
  return [{ plots: placePlots(place) }, figures, ...compared];
}

function placePlots({ title, groups, policies, slo }: Place): readonly PlotSpec[] {
  const shown = policies.filter((policy) => groups.some((group) => group.policy === policy));
  const ordered = shown.flatMap((policy) => groups.filter((group) => group.policy === policy));
  const colorOf = (policy: string) => seriesColor(policies.indexOf(policy));
  const figurePlot = (figure: FigureName, name: string, x: PlotAxis, target: number | undefined): PlotSpec => ({
    ...{ title: `${title}: ${name}`, x: { ...x, isLoose: true }, y: { bands: shown } },
    layers: [
      ...(target === undefined ? [] : [{ kind: 'rule', color: 'bad', at: { x: target } } as const]),
      ...ordered.flatMap((group) =>
        figureLayers(group, { figure, y: shown.indexOf(group.policy), color: colorOf(group.policy) }),
      ),
    ],
  });
  return [
    {
      title: `${title}: accuracy and cores`,
      x: { label: 'cores, mean', isLoose: true },
      y: { unit: 'accuracy', isLoose: true },
      layers: ordered.flatMap((group) => tradeOffLayers(group, colorOf(group.policy))),
    },
    figurePlot('within SLO %', 'within the SLO', { label: 'requests within the SLO, %' }, slo?.percentile),
    figurePlot('p99 ms', 'latency', { label: 'p99 of what completed, ms' }, slo?.latencyMs),
  ];
}

/** Bounds of a figure; with one seed, only the mean. */
function boundsOf(group: CellGroup, figure: FigureName) {
  const { mean, low, high } = group.figures[figure];
  return Number.isFinite(low) ? { mean, low, high } : { mean, low: mean, high: mean };
}

const digits = (value: number): string => String(Number(value.toPrecision(4)));

const tipOf = (group: CellGroup): string =>
  [
    group.policy,
    ...(['within SLO %', 'accuracy', 'cores', 'cost per hour', 'p99 ms'] as const).map(
      (figure) => `${figure}\t${digits(group.figures[figure].mean)}`,
    ),
  ].join('\n');

function tradeOffLayers(group: CellGroup, color: ReturnType<typeof seriesColor>): readonly PlotLayer[] {
  const [cores, accuracy] = [boundsOf(group, 'cores'), boundsOf(group, 'accuracy')];
  return [
    {
      ...{ kind: 'segments', color },
      segments: [
        [cores.low, accuracy.mean, cores.high, accuracy.mean],
        [cores.mean, accuracy.low, cores.mean, accuracy.high],
      ],
    },
    {
      ...{ kind: 'points', name: group.policy, color, shape: 'disc' },
      points: [{ x: cores.mean, y: accuracy.mean, tip: tipOf(group) }],
    },
  ];
}

function figureLayers(
  group: CellGroup,
  {
    figure,
    y,
    color,
  }: { readonly figure: FigureName; readonly y: number; readonly color: ReturnType<typeof seriesColor> },
): readonly PlotLayer[] {
  const { mean, low, high } = boundsOf(group, figure);
  return [
    { kind: 'segments', color, segments: [[low, y, high, y]] },
    { kind: 'points', color, shape: 'disc', points: [{ x: mean, y, tip: tipOf(group) }] },
  ];
}
