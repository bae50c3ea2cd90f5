import type { PeakSeries, Trial } from '@equipoise/core/forecast';
import { plotPicture } from './plot/picture.js';

export interface ForecastCaption {
  readonly series: PeakSeries;
  readonly binS: number;
  readonly trace: string;
}

const MOST_BINS = 360;

/** Plot of the last forecasts of the test part: the band from point to quantile, and the actual peaks. */
export function forecastSvg(trial: Trial, { series, binS, trace }: ForecastCaption): string {
  const { targetsRps, pointsRps, uppersRps } = trial.inForce;
  const first = Math.max(0, targetsRps.length - MOST_BINS);
  const bins = Array.from({ length: targetsRps.length - first }, (_, k) => first + k);
  const xs = bins.map((k) => ((series.startS[trial.testBins[k] as number] as number) + binS) / 3600);
  const of = (values: ArrayLike<number>) => bins.map((k) => values[k] as number);
  return plotPicture({
    title: `${trace}, ${trial.selected}`,
    isWide: true,
    x: { label: 'hours of the trace', domain: [xs[0] ?? 0, xs.at(-1) ?? 1] },
    y: { label: 'largest second', unit: 'rps' },
    layers: [
      {
        ...{ kind: 'area', name: 'forecast, from its point to its quantile', color: 'c2', isStep: true },
        ...{ xs, values: of(uppersRps), low: of(pointsRps), high: of(uppersRps) },
      },
      { kind: 'line', name: 'actual peak', color: 'c1', isStep: true, xs, values: of(targetsRps) },
    ],
  });
}
