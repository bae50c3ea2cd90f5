/** Costs and accuracies relative to those of the clairvoyant, as an SVG picture. */
import { plotSvg } from '../../packages/app/src/report/plot.js';
import { LEAST_PAS_RATIO, type LoadResult, MOST_COST_RATIO } from './bars.js';
import type { CellFigures } from './cell.js';
import type { ControlMode } from './pipelines.js';

const INK = '#475467';

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
export function controlSvg(results: readonly LoadResult[]): Promise<string> {
  const hconcat = panels.map(({ mode, title, bar, ratio }) => {
    const values = results.flatMap(({ pipeline, mode: of, kind, load, cells: { equipoise, clairvoyant } }) =>
      of === mode && kind === 'moving' && equipoise && clairvoyant
        ? [{ pipeline, load, ratio: ratio(equipoise, clairvoyant) }]
        : [],
    );
    return {
      ...{ width: 300, height: 240, title: { text: mode, anchor: 'start' as const } },
      layer: [
        {
          data: { values: [{ bar }] },
          mark: { type: 'rule' as const, color: '#b42318', strokeDash: [4, 3] },
          encoding: { y: { field: 'bar', type: 'quantitative' as const } },
        },
        {
          data: { values },
          mark: { type: 'point' as const, filled: true, size: 90 },
          encoding: {
            x: { field: 'load', type: 'nominal' as const, title: null, axis: { labelAngle: -30 } },
            y: { field: 'ratio', type: 'quantitative' as const, title, scale: { zero: false } },
            color: { field: 'pipeline', type: 'nominal' as const, title: null },
            shape: { field: 'pipeline', type: 'nominal' as const, title: null },
          },
        },
      ],
    };
  });
  const config = { axis: { labelColor: INK, titleColor: INK }, title: { color: INK } };
  return plotSvg({ background: 'white', padding: 12, config, hconcat });
}
