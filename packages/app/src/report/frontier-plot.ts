import type { Frontier } from '@equipoise/core/plan';
import { plotSvg } from './plot.js';

export interface FrontierCaption {
  readonly pipeline: string;
  readonly arrivalRps: number;
  readonly latencyMs: number;
  readonly percentile: number;
}

export function frontierSvg(
  points: Frontier['points'],
  { pipeline, arrivalRps, latencyMs, percentile }: FrontierCaption,
): Promise<string> {
  const values = points.map(({ pas, costPerHour }) => ({ pas, costPerHour }));
  return plotSvg({
    width: 640,
    height: 360,
    background: 'white',
    padding: 12,
    title: { text: `${pipeline} at ${arrivalRps} rps, p${percentile} within ${latencyMs} ms`, anchor: 'start' },
    data: { values },
    encoding: {
      x: { field: 'costPerHour', type: 'quantitative', title: 'cost per hour', scale: { zero: false } },
      y: { field: 'pas', type: 'quantitative', title: 'accuracy of the pipeline', scale: { zero: false } },
    },
    layer: [
      { mark: { type: 'line', interpolate: 'step-after', opacity: 0.5 } },
      { mark: { type: 'point', filled: true, size: 60 } },
    ],
  });
}
