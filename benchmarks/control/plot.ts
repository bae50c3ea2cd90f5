/** Costs and accuracies relative to those of the clairvoyant, as an SVG picture. */
import { plotGrid } from '../../packages/app/src/report/plot/picture.js';
import { type PlotLayer, type PlotSpec, seriesColor } from '../../packages/app/src/report/plot/plot-spec.js';
import { LEAST_PAS_RATIO, type LoadResult, MOST_COST_RATIO } from './bars.js';
import type { CellFigures } from './cell.js';
import type { ControlMode } from './pipelines.js';

const SHAPES = ['disc', 'square', 'diamond', 'triangle', 'ring'] as const;

interface Panel {
  readonly mode: ControlMode;
  readonly title: string;
  readonly bar: number;
  readonly ratio: (ours: CellFigures, clairvoyant: CellFigures) => number;
}

const panels: readonly Panel[] = [
  {
    ...{ mode: 'min-cost', title: 'cores held ÷ clairvoyant', bar: MOST_COST_RATIO },
    ratio: (ours, clairvoyant) => ours.cpuCoresMean / clairvoyant.cpuCoresMean,
  },
  {
    ...{ mode: 'max-accuracy', title: 'PAS ÷ clairvoyant', bar: LEAST_PAS_RATIO },
    ratio: (ours, clairvoyant) => ours.pasMean / clairvoyant.pasMean,
  },
];

/** One panel per mode, with a point for each load and pipeline that has results, and the bar as a line. */
export function controlSvg(results: readonly LoadResult[]): string {
  const plots = panels.map(({ mode, title, bar, ratio }): PlotSpec => {
    const shown = results.flatMap(({ pipeline, mode: of, kind, load, cells: { equipoise, clairvoyant } }) =>
      of === mode && kind === 'moving' && equipoise && clairvoyant
        ? [{ pipeline, load, ratio: ratio(equipoise, clairvoyant) }]
        : [],
    );
    const loads = [...new Set(shown.map(({ load }) => load))].sort();
    const pipelines = [...new Set(shown.map(({ pipeline }) => pipeline))].sort();
    const points = pipelines.map(
      (pipeline, i): PlotLayer => ({
        ...{ kind: 'points', name: pipeline, color: seriesColor(i), shape: SHAPES[i % SHAPES.length] ?? 'disc' },
        points: shown
          .filter((each) => each.pipeline === pipeline)
          .map((each) => ({ x: each.ratio, y: loads.indexOf(each.load) })),
      }),
    );
    const rule: PlotLayer = { kind: 'rule', name: 'bar', color: 'bad', at: { x: bar } };
    return { title: mode, x: { label: title, isLoose: true }, y: { bands: loads }, layers: [rule, ...points] };
  });
  return plotGrid('Control compared with the clairvoyant', plots, plots.length);
}
