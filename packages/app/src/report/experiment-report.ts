/** The HTML report of an experiment: what each policy reached on each load, with 95 % intervals over the seeds, and in pairs. */
import { type CellGroup, cellGroups, type FigureName } from '../experiment/cell-groups.js';
import type { CellResult } from '../experiment/experiment-cell.js';
import { groupTables } from '../experiment/experiment-tables.js';
import { htmlPage, htmlTable, type PageSection } from './html-page.js';
import { plotSvg } from './plot.js';

/** What the report is about. */
export interface ExperimentOutcome {
  readonly name: string;
  readonly conditions: string;
  readonly cells: readonly CellResult[];
}

/** The whole report as one HTML file. */
export async function experimentReport({ name, conditions, cells }: ExperimentOutcome): Promise<string> {
  const groups = cellGroups(cells);
  const tables = groupTables(groups).map(({ title, head, rows }) => ({ title, html: htmlTable(head, rows) }));
  const sections: PageSection[] = [
    { title: 'Accuracy against cores', html: await tradeOffPlot(groups) },
    { title: 'Requests within the SLO, in percent', html: await figurePlot(groups, 'within SLO %') },
    { title: 'p99 of completed requests, in ms', html: await figurePlot(groups, 'p99 ms') },
    ...tables,
  ];
  return htmlPage({ title: `Experiment: ${name}`, lead: conditions, sections });
}

const placeOf = ({ pipeline, load }: CellGroup): string => `${pipeline}, ${load}`;

/** The interval, or the mean alone where one seed gives none. */
function boundsOf(group: CellGroup, figure: FigureName) {
  const { mean, low, high } = group.figures[figure];
  return Number.isFinite(low) ? { mean, low, high } : { mean, low: mean, high: mean };
}

function tradeOffPlot(groups: readonly CellGroup[]): Promise<string> {
  const values = groups.map((group) => {
    const [cores, accuracy] = [boundsOf(group, 'cores'), boundsOf(group, 'accuracy')];
    return {
      ...{ place: placeOf(group), policy: group.policy, cores: cores.mean, accuracy: accuracy.mean },
      ...{ coresLow: cores.low, coresHigh: cores.high, accuracyLow: accuracy.low, accuracyHigh: accuracy.high },
    };
  });
  const x = { field: 'cores', type: 'quantitative', title: 'cores (mean)', scale: { zero: false } } as const;
  const y = { field: 'accuracy', type: 'quantitative', title: 'accuracy (mean)', scale: { zero: false } } as const;
  return plotSvg({
    data: { values },
    facet: { field: 'place', title: null },
    columns: 2,
    spec: {
      ...{ width: 340, height: 200 },
      encoding: { color: { field: 'policy', type: 'nominal', title: null } },
      layer: [
        { mark: 'rule', encoding: { x: { ...x, field: 'coresLow' }, x2: { field: 'coresHigh' }, y } },
        { mark: 'rule', encoding: { x, y: { ...y, field: 'accuracyLow' }, y2: { field: 'accuracyHigh' } } },
        { mark: { type: 'point', filled: true, size: 70 }, encoding: { x, y } },
      ],
    },
  });
}

function figurePlot(groups: readonly CellGroup[], figure: FigureName): Promise<string> {
  const values = groups.map((group) => ({ place: placeOf(group), policy: group.policy, ...boundsOf(group, figure) }));
  return plotSvg({
    data: { values },
    facet: { field: 'place', title: null },
    columns: 2,
    spec: {
      ...{ width: 300, height: { step: 18 } },
      encoding: {
        y: { field: 'policy', type: 'nominal', title: null, sort: null },
        color: { field: 'policy', type: 'nominal', legend: null },
      },
      layer: [
        {
          mark: 'rule',
          encoding: {
            x: { field: 'low', type: 'quantitative', title: null, scale: { zero: false } },
            x2: { field: 'high' },
          },
        },
        { mark: { type: 'point', filled: true, size: 60 }, encoding: { x: { field: 'mean', type: 'quantitative' } } },
      ],
    },
  });
}
