import type { PeakSeries, Trial } from '@equipoise/core/forecast';
import { plotSvg } from './plot.js';

export interface ForecastCaption {
  readonly series: PeakSeries;
  readonly binS: number;
  readonly trace: string;
}

const MOST_BINS = 360;
const INK = '#475467';

/** Plot of the last forecasts of the test part: the band from point to quantile, and the actual peaks. */
export function forecastSvg(trial: Trial, { series, binS, trace }: ForecastCaption): Promise<string> {
  const { targetsRps, pointsRps, uppersRps } = trial.inForce;
  const first = Math.max(0, targetsRps.length - MOST_BINS);
  const values = Array.from({ length: targetsRps.length - first }, (_, k) => ({
    hours: ((series.startS[trial.testBins[first + k] as number] as number) + binS) / 3600,
    peak: targetsRps[first + k],
    point: pointsRps[first + k],
    upper: uppersRps[first + k],
  }));
  const rps = (field: string) => ({ field, type: 'quantitative', title: 'largest second, rps' }) as const;
  return plotSvg({
    width: 760,
    height: 320,
    background: 'white',
    padding: 12,
    config: { axis: { labelColor: INK, titleColor: INK }, title: { color: INK } },
    title: {
      text: `${trace}, ${trial.selected}`,
      subtitle: 'line: actual peak; band: from the forecast point to the forecast quantile',
      anchor: 'start',
    },
    data: { values },
    encoding: {
      x: { field: 'hours', type: 'quantitative', title: 'hours of the trace', scale: { zero: false, nice: false } },
    },
    layer: [
      {
        mark: { type: 'area', color: '#f5b041', opacity: 0.45, interpolate: 'step-after' },
        encoding: { y: rps('point'), y2: { field: 'upper' } },
      },
      {
        mark: { type: 'line', color: '#1f4e79', strokeWidth: 1.2, interpolate: 'step-after' },
        encoding: { y: rps('peak') },
      },
    ],
  });
}
