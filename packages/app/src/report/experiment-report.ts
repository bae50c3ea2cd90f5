/** HTML report: results of each policy on each load, with 95 % intervals over seeds, and paired differences. */
import type { Slo } from '@equipoise/core/model';
import { type CellGroup, cellGroups, type FigureName } from '../experiment/cell-groups.js';
import { cellText } from '../experiment/experiment-cell.js';
import type { ExperimentResults } from '../experiment/experiment-results.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { groupedBy } from '../experiment/grouped-by.js';
import type { ReadGrid } from '../experiment/read-grid.js';
import { counted } from '../terminal/counted.js';
import { htmlPage, htmlParagraph, htmlTable, type PageSection } from './html-page.js';
import { plotSvg } from './plot.js';

/** Colors that are safe for color blindness (Okabe and Ito). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

interface Place {
  readonly title: string;
  readonly groups: readonly CellGroup[];
  readonly policies: readonly string[];
  readonly slo: Slo | undefined;
}

export async function experimentReport(read: ReadGrid, results: ExperimentResults): Promise<string> {
  const { grid, pipelines } = read;
  const [reference = ''] = grid.policies;
  const groups = cellGroups(results.cells, reference);
  const places = [...groupedBy(groups, ({ pipeline, load }) => JSON.stringify([pipeline, load])).values()];
  const sections = await Promise.all(
    places.map(async (own): Promise<PageSection> => {
      const { pipeline = '', load = '' } = own[0] ?? {};
      const slo = pipelines[pipeline]?.spec.slo;
      const place = { title: `${pipeline}, ${load}`, groups: own, policies: grid.policies, slo };
      return { title: place.title, html: await placeHtml(place, reference) };
    }),
  );
  return htmlPage({
    title: `Experiment: ${grid.name}`,
    lead: conditions(read, results),
    sections: [...infeasibleSection(results), ...sections],
  });
}

function conditions({ grid: { seeds, forecaster, excludeFirstS, loadMs } }: ReadGrid, { cells }: ExperimentResults) {
  const load = loadMs === undefined ? '' : `, every variant ready after ${loadMs} ms`;
  const excluded = excludeFirstS === 0 ? '' : `, the first ${excludeFirstS} s not counted`;
  return `${counted(cells.length, 'simulation')}, ${counted(seeds.length, 'seed')}, forecaster ${forecaster}${load}${excluded}. Points and numbers are means over the seeds. Bars, and values in parentheses or after ±, are their 95 % intervals (Student's; for bounded figures on a scale that keeps the bounds).`;
}

function infeasibleSection({ infeasible = [] }: ExperimentResults): readonly PageSection[] {
  if (infeasible.length === 0) return [];
  const rows = infeasible.map((cell) => [cellText(cell), cell.message]);
  return [{ title: 'Without a first plan', html: htmlTable(['simulation', 'why'], rows) }];
}

async function placeHtml(place: Place, reference: string): Promise<string> {
  const tables = groupTables(place.groups, reference).map(({ head, rows }) => htmlTable(head, rows));
  const [figures = '', differences] = tables;
  const compared =
    differences === undefined
      ? []
      : [htmlParagraph(`Difference from ${reference}, seed by seed; * if the interval excludes 0:`), differences];
  return [await placePlot(place), figures, ...compared].join('\n');
}

/** Bounds of a figure; with one seed, only the mean. */
function boundsOf(group: CellGroup, figure: FigureName) {
  const { mean, low, high } = group.figures[figure];
  return Number.isFinite(low) ? { mean, low, high } : { mean, low: mean, high: mean };
}

function placePlot({ groups, policies, slo }: Place): Promise<string> {
  const present = policies.filter((policy) => groups.some((group) => group.policy === policy));
  const scale = {
    domain: present,
    range: present.map((policy) => COLORS[policies.indexOf(policy) % COLORS.length] ?? ''),
  };
  // Repeated in each plot, because concatenated plots do not inherit encodings. One legend is enough.
  const color = {
    field: 'policy',
    type: 'nominal',
    title: null,
    sort: present,
    scale,
    legend: { orient: 'top' },
  } as const;
  const attainment = figurePlot(groups, { figure: 'within SLO %', order: present, target: slo?.percentile });
  const latency = figurePlot(groups, { figure: 'p99 ms', order: present, target: slo?.latencyMs });
  const withColor = (plot: object) => ({ ...plot, encoding: { color } });
  return plotSvg({
    background: 'white',
    config: { axis: { labelFontSize: 12, titleFontSize: 12 }, title: { fontSize: 13 } },
    hconcat: [
      withColor(tradeOffPlot(groups)),
      withColor({ ...attainment, title: 'Within the SLO, %' }),
      withColor({ ...latency, title: 'p99 of what completed, ms' }),
    ],
  } as Parameters<typeof plotSvg>[0]);
}

function tradeOffPlot(groups: readonly CellGroup[]) {
  const values = groups.map((group) => {
    const [cores, accuracy] = [boundsOf(group, 'cores'), boundsOf(group, 'accuracy')];
    return {
      policy: group.policy,
      cores: cores.mean,
      accuracy: accuracy.mean,
      coresLow: cores.low,
      coresHigh: cores.high,
      accuracyLow: accuracy.low,
      accuracyHigh: accuracy.high,
    };
  });
  const axis = { type: 'quantitative', scale: { zero: false, nice: true } } as const;
  const x = { ...axis, field: 'cores', title: 'cores' };
  const y = { ...axis, field: 'accuracy', title: null };
  return {
    title: 'Accuracy against cores',
    width: 250,
    height: 190,
    data: { values },
    layer: [
      { mark: 'rule', encoding: { x: { ...x, field: 'coresLow' }, x2: { field: 'coresHigh' }, y } },
      { mark: 'rule', encoding: { x, y: { ...y, field: 'accuracyLow' }, y2: { field: 'accuracyHigh' } } },
      { mark: { type: 'point', filled: true, size: 70, opacity: 1 }, encoding: { x, y } },
    ],
  };
}

function figurePlot(
  groups: readonly CellGroup[],
  plot: { readonly figure: FigureName; readonly order: readonly string[]; readonly target: number | undefined },
) {
  const values = groups.map((group) => ({ policy: group.policy, ...boundsOf(group, plot.figure) }));
  const y = { field: 'policy', type: 'nominal', title: null, sort: [...plot.order] };
  const x = { type: 'quantitative', title: null, scale: { zero: false }, axis: { tickCount: 5 } };
  const target = {
    data: { values: [{ target: plot.target }] },
    mark: { type: 'rule', strokeDash: [4, 3], color: '#667085' },
    encoding: { x: { ...x, field: 'target' }, color: { value: '#667085' } },
  };
  return {
    width: 200,
    height: 190,
    data: { values },
    layer: [
      ...(plot.target === undefined ? [] : [target]),
      { mark: 'rule', encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' } } },
      { mark: { type: 'point', filled: true, size: 70, opacity: 1 }, encoding: { y, x: { ...x, field: 'mean' } } },
    ],
  };
}
